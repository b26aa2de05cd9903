"""Several requests in one message, and the answers to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice

import orjson

from bench.target import Target, WrongAnswer
from bench.target.asking import members

INSTANCE = "instance"
MOST = 1_000
"""Requests in a message."""
KEPT_PARTS = 100
"""Of the tokens of one answer, so many are asked for at the server."""


class Batched:
    """A target whose requests are ``size`` of another's. An answer is judged part by part."""

    def __init__(self, target: Target, size: int) -> None:
        """Raises ValueError."""
        if not 1 < size <= MOST:
            raise ValueError(f"a batch has 2 to {MOST:,} requests")
        self._target, self._size = target, size
        self._seen: set[str] = set()
        self.kind = target.kind
        self.url = target.url
        self.head: Mapping[str, str] = target.head

    @property
    def subjects(self) -> int | None:
        """For how many whole messages there are different subject tokens; None for passwords."""
        found: int | None = getattr(self._target, "subjects", None)
        return None if found is None else found // self._size

    def bodies(self, number: int) -> Iterator[bytes]:
        """So many messages. Raises NotPrepared."""
        requests = self._target.bodies(number * self._size)
        while parts := [members(body) for body in islice(requests, self._size)]:
            for part in parts:
                instance = part.pop(INSTANCE, None)
            yield orjson.dumps({INSTANCE: instance, "requests": parts})

    def token(self, answer: bytes) -> str:
        """The first; raises WrongAnswer."""
        return self._target.token(self._results(answer)[0])

    def check(self, body: bytes, answer: bytes) -> str:
        """The id of the first token; raises WrongAnswer."""
        found = []
        for request, result in zip(members(body)["requests"], self._results(answer), strict=True):
            id = self._target.check(orjson.dumps(request), result)
            if id in self._seen:
                raise WrongAnswer("two requests got the same token")
            self._seen.add(id)
            found.append(id)
        return found[0]

    async def check_kept(self, answers: list[bytes]) -> None:
        """Raises WrongAnswer."""
        step = -(-self._size // KEPT_PARTS)
        parts = [part for answer in answers for part in self._results(answer)[::step]]
        await self._target.check_kept(parts)

    def _results(self, answer: bytes) -> list[bytes]:
        results = members(answer).get("results")
        if not isinstance(results, list) or len(results) != self._size:
            raise WrongAnswer(f"the answer to {self._size} requests has not as many results")
        return [orjson.dumps(result) for result in results]

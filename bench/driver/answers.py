"""Requests by message that wait for their answers: which answer is whose, and which nobody's."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Callable

from bench.driver.sender import PARSE, Failed

SUCCESS = range(200, 300)
RETURNED = "returned"
"""The message server had nowhere to put a request."""
NOT_TAKEN = "not taken"
"""The message server said that it did not take a request."""
DUPLICATE = "duplicate"
"""An answer to a request that had one."""
UNASKED = "unasked"
"""An answer to no request of ours."""

Judge = Callable[[bytes], str]
"""The kind of failure that the body of an answer tells of; empty for none."""


def all_good(_: bytes) -> str:
    """The status has said it all."""
    return ""


class Answers:
    """Ids are random in their first part, so that no run has those of another."""

    def __init__(self, judge: Judge = all_good) -> None:
        self._judge = judge
        self._series = secrets.token_hex(8).encode()
        self._asked = 0
        self._waiting: dict[int, asyncio.Future[bytes]] = {}
        self._given_up: set[int] = set()
        self._strays: Counter[str] = Counter()

    def asked(self) -> tuple[int, bytes, asyncio.Future[bytes]]:
        """The number of a new request, its id, and its answer to come."""
        number = self._asked
        self._asked = number + 1
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        return number, b"%b-%d" % (self._series, number), answer

    def waits(self, number: int) -> bool:
        """Whether somebody still waits for that answer."""
        return number in self._waiting

    def answered(self, id: bytes, status: object, body: bytes) -> None:
        """An answer has come; ``status`` as its message said it."""
        number = self._number(id)
        if number is None:
            self._strays[UNASKED] += 1
            return
        answer = self._waiting.pop(number, None)
        if answer is None:
            if number in self._given_up:
                self._given_up.remove(number)
            else:
                self._strays[DUPLICATE] += 1
            return
        if answer.done():
            return
        if not isinstance(status, int):
            answer.set_exception(Failed(PARSE, "the answer has no status"))
        elif status not in SUCCESS:
            answer.set_exception(Failed(f"status {status}", body=body))
        elif kind := self._judge(body):
            answer.set_exception(Failed(kind, body=body))
        else:
            answer.set_result(body)

    def failed(self, number: int, failed: Failed) -> None:
        """There will be no answer to this request."""
        answer = self._waiting.get(number)
        if answer is not None:
            self.given_up(number)
            if not answer.done():
                answer.set_exception(failed)

    def lost(self, id: bytes, failed: Failed) -> None:
        """The same, by the request's id."""
        number = self._number(id)
        if number is not None:
            self.failed(number, failed)

    def all_failed(self, failed: Failed) -> None:
        """The connection is gone, and with it where answers were to come."""
        for number in list(self._waiting):
            self.failed(number, failed)

    def given_up(self, number: int) -> None:
        """Nobody waits any more; an answer that comes all the same is late and no duplicate."""
        if self._waiting.pop(number, None) is not None:
            self._given_up.add(number)

    def strays(self) -> dict[str, int]:
        """Answers since the last call that were nobody's, by kind."""
        found, self._strays = self._strays, Counter()
        return dict(found)

    def _number(self, id: bytes) -> int | None:
        series, _, number = id.partition(b"-")
        if series != self._series or not number.isdigit() or int(number) >= self._asked:
            return None
        return int(number)

"""What is done with tokens, as rounds of one operation: on a store, and over HTTP on top of it."""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from bench.figures import MICRO
from bench.filled import Filled
from bench.lanes import in_lanes
from bench.tokens import INSTANCE, alias, issued, principal
from broker.ports import TokenQuery

LANES = 16
"""Operations under way at once."""

PAGE = 100
PAGES_SHARE = 10
"""One page is measured where so many other operations are: it holds many tokens."""

MIDDLE = (0.4, 0.6)
"""Pages begin somewhere between these parts of the aliases."""

ALIAS_DIGITS = 40


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU microseconds for one operation: of our process, and of the store's own server."""

    broker: float
    server: float


class WrongResult(Exception):
    """An operation did not do what it was measured for; the run counts for nothing."""


class Operations:
    """Rounds on one store, which leave it as they found it: what is committed is cancelled."""

    def __init__(self, filled: Filled, number_each: int, seed: int) -> None:
        self.filled = filled
        self._tokens = filled.stores.tokens
        self._number = number_each
        self._random = random.Random(seed)  # noqa: S311 - picks what to look at
        self._next = filled.tokens

    async def commit(self) -> Cost:
        fresh = [issued(self._next + at, int(time.time())) for at in range(self._number)]
        return await self._measured(lambda at: fresh[at].commit(self.filled.stores), len(fresh))

    async def get(self) -> Cost:
        names = [alias(self._any()) for _ in range(self._number)]

        async def one(at: int) -> None:
            if await self._tokens.get(names[at]) is None:
                raise WrongResult("a stored token was not found")

        return await self._measured(one, len(names))

    async def page_by_instance(self) -> Cost:
        return await self._pages(
            [
                TokenQuery(instance=INSTANCE, after=self._middle(), limit=PAGE)
                for _ in range(self._pages_each)
            ]
        )

    async def page_by_principal(self) -> Cost:
        return await self._pages(
            [
                TokenQuery(principal=principal(self._any()), after=self._middle(), limit=PAGE)
                for _ in range(self._pages_each)
            ]
        )

    async def cancel(self) -> Cost:
        """What the last ``commit`` wrote."""
        names = [alias(self._next + at) for at in range(self._number)]
        self._next += self._number

        async def one(at: int) -> None:
            if not await self._tokens.cancel(names[at]):
                raise WrongResult("a token was not there to cancel")

        return await self._measured(one, len(names))

    @property
    def _pages_each(self) -> int:
        return max(1, self._number // PAGES_SHARE)

    async def _pages(self, queries: Sequence[TokenQuery]) -> Cost:
        async def one(at: int) -> None:
            if len(await self._tokens.query(queries[at])) != PAGE:
                raise WrongResult("a page was not full")

        return await self._measured(one, len(queries))

    async def _measured(self, call: Callable[[int], Awaitable[object]], total: int) -> Cost:
        ours, servers = time.process_time(), self.filled.place.server_seconds()
        await in_lanes(call, total, LANES)
        ours = time.process_time() - ours
        servers = self.filled.place.server_seconds() - servers
        return Cost(ours / total * MICRO, servers / total * MICRO)

    def _any(self) -> int:
        return self._random.randrange(self.filled.tokens)

    def _middle(self) -> str:
        low, high = (int(part * 16**ALIAS_DIGITS) for part in MIDDLE)
        return f"{self._random.randrange(low, high):0{ALIAS_DIGITS}X}"

"""Many pieces of work side by side, in a few lanes, with room for others in between."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Generic, TypeVar

from broker.ports import Clock

T = TypeVar("T")
N = TypeVar("N")

SLICE_SECONDS = 0.004
"""How long lanes that wait for nothing keep the event loop before others have their turn."""


async def in_lanes(
    work: Callable[[N], Awaitable[T]], pieces: Sequence[N], lanes: int, clock: Clock
) -> list[T]:
    """The results of ``work`` on all pieces, in their order; so many at a time. By the ``clock``
    they give others their turn.

    If some raise, the error of the first of them is raised, once all have ended. Work that never
    waits needs one lane alone, and costs hardly more than a plain loop over it.
    """
    return await _Lanes(work, pieces, clock).results(min(lanes, len(pieces)))


class _Lanes(Generic[N, T]):
    """The first lane is the caller's own task. The others are opened once it waits for something
    that is more than its turn."""

    def __init__(
        self, work: Callable[[N], Awaitable[T]], pieces: Sequence[N], clock: Clock
    ) -> None:
        self._work = work
        self._left: Iterator[tuple[int, N]] = iter(enumerate(pieces))
        self._results: list[T] = [None] * len(pieces)  # type: ignore[list-item]  # each is set
        self._errors: dict[int, Exception] = {}
        self._turn = _Turn(clock)
        self._giving_way = False
        self._others: list[asyncio.Task[None]] = []
        self._opening: asyncio.Handle | None = None

    async def results(self, lanes: int) -> list[T]:
        self._open_later(lanes - 1)
        try:
            await self._lane()
            self._open_no_more()
            if self._others:
                await asyncio.gather(*self._others)
        except GeneratorExit:
            self._cancel()
            raise
        except BaseException:
            self._cancel()
            await asyncio.gather(*self._others, return_exceptions=True)
            raise
        if self._errors:
            raise self._errors[min(self._errors)]
        return self._results

    async def _lane(self) -> None:
        for at, piece in self._left:
            if self._turn.over:
                self._giving_way = True
                await self._turn.next()
                self._giving_way = False
            try:
                self._results[at] = await self._work(piece)
            except Exception as error:
                self._errors[at] = error

    def _open_later(self, number: int) -> None:
        if number > 0:
            self._opening = asyncio.get_running_loop().call_soon(self._open, number)

    def _open(self, number: int) -> None:
        """The event loop comes here when the first lane waits."""
        if self._giving_way:
            self._open_later(number)
        else:
            self._others = [asyncio.create_task(self._lane()) for _ in range(number)]

    def _open_no_more(self) -> None:
        if self._opening is not None:
            self._opening.cancel()

    def _cancel(self) -> None:
        self._open_no_more()
        for other in self._others:
            other.cancel()


class _Turn:
    """What all lanes together may do before the event loop looks after others."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began = clock.now()
        self._next: asyncio.Future[None] | None = None

    @property
    def over(self) -> bool:
        return not 0 <= self._clock.now() - self._began < SLICE_SECONDS  # it may go back

    async def next(self) -> None:
        """Wait for the next turn; of several lanes the first may use it up again."""
        while self.over:
            if self._next is None:
                loop = asyncio.get_running_loop()
                self._next = loop.create_future()
                loop.call_soon(self._begin, self._next)
            await self._next

    def _begin(self, waited_for: asyncio.Future[None]) -> None:
        self._began, self._next = self._clock.now(), None
        if not waited_for.done():  # whoever is cancelled while it waits cancels it
            waited_for.set_result(None)

"""Where RSA signatures are computed: on the event loop, or in a few threads beside it.

An RSA signature takes hundreds of microseconds and releases the interpreter's lock. Workers that
cover the cores sign where they are. One process that is to use several cores hands its signatures
over, which costs CPU time for each but lets several be computed at once.
"""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections import deque
from dataclasses import dataclass, field
from queue import SimpleQueue

from adapters.keys.signers import Run, Sign, inline
from adapters.settings_values import AUTO, INLINE


@dataclass(slots=True)
class _Order:
    """A signature to be made, and who waits for it."""

    sign: Sign
    data: bytes = field(repr=False)
    signed: asyncio.Future[bytes]
    loop: asyncio.AbstractEventLoop
    result: bytes = field(default=b"", repr=False)
    error: Exception | None = field(default=None, repr=False)

    def settle(self) -> None:
        if self.signed.done() or self.loop.is_closed():  # nobody waits any more
            return
        if self.error is not None:
            self.signed.set_exception(self.error)
        else:
            self.signed.set_result(self.result)


class SigningThreads:
    """A ``Run`` that has signatures made by so many threads, for one event loop.

    The threads start with the first signature and end with this object.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._orders: SimpleQueue[_Order | None] = SimpleQueue()
        self._started = False

    async def __call__(self, sign: Sign, data: bytes) -> bytes:
        """The signature; what ``sign`` raises is raised here."""
        if not self._started:
            self._start()
        loop = asyncio.get_running_loop()
        order = _Order(sign, data, loop.create_future(), loop)
        self._orders.put(order)
        return await order.signed

    def _start(self) -> None:
        """Not before a worker needs them: threads do not survive a fork."""
        self._started = True
        back = _WayBack()
        for number in range(self._threads):
            name, given = f"sign-{number}", (self._orders, back)
            threading.Thread(target=_work, name=name, args=given, daemon=True).start()
        weakref.finalize(self, _end, self._orders, self._threads)


class _WayBack:
    """From the threads to the event loop. What several of them finish before the loop looks comes
    back in one step, since waking the loop is the dearest part."""

    def __init__(self) -> None:
        self._done: deque[_Order] = deque()
        self._told = False

    def take(self, order: _Order) -> None:
        """From any thread."""
        self._done.append(order)
        if self._told:
            return
        self._told = True
        try:
            order.loop.call_soon_threadsafe(self._settle)
        except RuntimeError:  # the loop was closed: nobody waits any more
            self._told = False

    def _settle(self) -> None:
        # In this order: what is appended from now on is settled here, or is told anew.
        self._told = False
        while self._done:
            self._done.popleft().settle()


def _work(orders: SimpleQueue[_Order | None], back: _WayBack) -> None:
    while (order := orders.get()) is not None:
        try:
            order.result = order.sign(order.data)
        except Exception as error:
            order.error = error
        back.take(order)


def _end(orders: SimpleQueue[_Order | None], threads: int) -> None:
    for _ in range(threads):
        orders.put(None)


def run_for(wanted: str | int, workers: int) -> Run:
    """Where the keys of one of ``workers`` processes sign. ``wanted`` is ``auto``, ``inline`` or
    a number of threads."""
    if wanted == INLINE:
        return inline
    cores = len(os.sched_getaffinity(0))
    if wanted != AUTO:
        return SigningThreads(int(wanted))
    return inline if workers >= cores else SigningThreads(cores // workers)

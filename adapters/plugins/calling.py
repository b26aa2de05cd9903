"""Asks a plug-in, in time, and puts what it raises into the words of the core.

A coroutine runs on the event loop, a plain function in a thread of its own. Either is left alone
once its time is up: the request fails, the broker goes on.
"""

from __future__ import annotations

import asyncio
import inspect
import math
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

from broker import errors
from broker.errors import PlugInFailed, RemintError

SECONDS = 4.0
"""How long a plug-in may take. Less than the lease of a claim, so that nobody takes a request over
while its plug-in is still at it."""

MAX_THREADS = 16
"""Threads that one plug-in may keep busy. Those that hang stay so, and harm that plug-in alone."""

MAX_WHILE_LATE = 16
"""Requests that may wait for one plug-in while it is known to be late: the broker's room for
requests belongs to all instances, and one plug-in that hangs must not fill it."""

MAX_SENTENCE_LENGTH = 300
MAX_RETRY_SECONDS = 3600

FAILED = "a plug-in of this instance failed"

#: What a plug-in may refuse with; a class below one of these becomes that one.
REFUSALS: tuple[type[errors.Refusal], ...] = (
    errors.InvalidRequest,
    errors.InvalidToken,
    errors.AccessDenied,
    errors.Forbidden,
    errors.NotFound,
    errors.Conflict,
    errors.Gone,
    errors.PayloadTooLarge,
    errors.NotSupported,
)

Outcome = tuple[bool, Any]
"""Whether it went well, and the answer or the error."""


class Caller:
    """One plug-in's method, for all requests."""

    def __init__(self, name: str, method: Callable[[Any], Any], seconds: float = SECONDS) -> None:
        self._name = name
        self._method = method
        self._seconds = seconds
        self._free = asyncio.Semaphore(MAX_THREADS)
        self._waiting = 0
        self._late_until = -math.inf

    async def call(self, told: Any) -> Any:
        """The answer. Raises PlugInFailed, and what the plug-in refuses with."""
        if self._waiting >= MAX_WHILE_LATE and time.monotonic() < self._late_until:
            raise self._failure("is late already, and enough requests wait for it")
        self._waiting += 1
        try:
            return await self._asked(told)
        finally:
            self._waiting -= 1

    async def _asked(self, told: Any) -> Any:
        task = asyncio.ensure_future(self._outcome(told))
        try:
            done, _ = await asyncio.wait({task}, timeout=self._seconds)
        finally:
            task.cancel()  # no effect on one that is done; one that will not end is left behind
        if not done:
            self._late_until = time.monotonic() + self._seconds
            raise self._failure(f"did not answer within {self._seconds:g} seconds")
        if task.cancelled():
            raise self._failure("cancelled itself")
        went_well, said = task.result()
        if went_well:
            return said
        raise self._ours(said) from said

    async def _outcome(self, told: Any) -> Outcome:
        """Never raises: an error that nobody fetched would be reported by the event loop."""
        if inspect.iscoroutinefunction(self._method):
            return await _awaited(self._method(told))
        await self._free.acquire()
        outcome = await self._in_thread(told)
        went_well, said = outcome
        if went_well and inspect.isawaitable(said):
            return await _awaited(said)
        return outcome

    def _in_thread(self, told: Any) -> asyncio.Future[Outcome]:
        """A thread that does not hold up the end of the process, however long it hangs."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Outcome] = loop.create_future()

        def end(outcome: Outcome) -> None:
            self._free.release()
            if not future.done():
                future.set_result(outcome)

        def run() -> None:
            try:
                outcome = True, self._method(told)
            except BaseException as error:
                outcome = False, error
            if not loop.is_closed():
                loop.call_soon_threadsafe(end, outcome)

        try:
            threading.Thread(target=run, name=f"plug-in {self._name}", daemon=True).start()
        except RuntimeError as error:  # the system has no thread to give
            end((False, error))
        return future

    def _ours(self, error: BaseException) -> RemintError:
        detail = f"the plug-in {self._name} raised {type(error).__name__}"
        if not isinstance(error, RemintError):
            return PlugInFailed(FAILED, detail=detail)
        sentence = _sentence(error)
        if isinstance(error, errors.TooManyAttempts):
            return errors.TooManyAttempts(sentence, retry_after=_retry(error), detail=detail)
        if isinstance(error, errors.Unavailable):
            return errors.Unavailable(sentence, retry_after=_retry(error), detail=detail)
        for kind in REFUSALS:
            if isinstance(error, kind):
                return kind(sentence, detail=detail)
        return PlugInFailed(FAILED, detail=detail)

    def _failure(self, what: str) -> PlugInFailed:
        return PlugInFailed(FAILED, detail=f"the plug-in {self._name} {what}")


async def _awaited(said: Awaitable[Any]) -> Outcome:
    """Nothing of what a plug-in raises may end the event loop."""
    try:
        return True, await said
    except asyncio.CancelledError:
        raise
    except BaseException as error:
        return False, error


def _sentence(error: RemintError) -> str:
    given = str(error.sentence)[:MAX_SENTENCE_LENGTH]
    return "".join(c if c.isprintable() else " " for c in given) or "a plug-in refused this"


def _retry(error: errors.TooManyAttempts | errors.Unavailable) -> int:
    return min(max(int(error.retry_after), 1), MAX_RETRY_SECONDS)

"""One way to Redis for everything: commands are collected, sent together and answered in order.

A caller never touches a connection. It hands in its commands and waits for a future; this class
has them written, and every reply read. A caller that is cancelled leaves the connection as it is,
and its replies are read and dropped. If a round trip is cut short, by a deadline or an error, its
connection is discarded. So no reply can ever reach the wrong caller (CVE-2023-28859).

Commands that arrive while all lanes are busy, or within one tick of the event loop, share the next
round trip. Where a connection is idle they are written at once and answered where the replies
arrive; a task is made only where a connection must be opened, or several servers be asked. Nothing
is sent twice: whether to try again is for the caller to say.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from redis.exceptions import RedisError, ResponseError

from adapters.stores.redis_links import Link, Unwelcome, touch
from adapters.stores.redis_wire import Outcome
from adapters.stores.redis_wires import Command
from broker.errors import Unavailable

CALL_SECONDS = 2.0
"""How long a call may take, from being handed in to its last reply."""

LANES = 2
"""Round trips under way at once. A few only: while they wait, the next ones grow larger."""

MAX_BATCH = 128
"""Commands in one round trip, unless one call alone has more."""

MAX_WAITING = 4096
"""Calls handed in and not yet answered."""

MAX_DETAIL_LENGTH = 200

UNLOADED = (
    "redis: Function not found: those of another revision were loaded over them; an administrator "
    "loads these again with: remint store load-functions URL"
)


@dataclass(slots=True)  # not frozen, which would take three times as long to make
class _Job:
    commands: Sequence[Command]
    future: asyncio.Future[list[Any]]
    deadline: float


def _no_trouble() -> str | None:
    return None


class Commands:
    """Calls to Redis. ``round_trips`` counts what they cost."""

    def __init__(self, link: Link, trouble: Callable[[], str | None] = _no_trouble) -> None:
        """Must be called on the event loop it will serve.

        ``trouble`` is the sentence for which no call may go out, None while there is none.
        """
        self.round_trips = 0
        self._link = link
        self._trouble = trouble
        self._loop = asyncio.get_running_loop()
        self._jobs: deque[_Job] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting = 0
        self._under_way = 0
        self._scheduled = False
        self._closing = False
        self._quiet = asyncio.Event()
        """Set where the last call was answered and no more are taken."""

    @property
    def ordered(self) -> bool:
        """True where the commands of one call run one after the other, whatever their keys."""
        return self._link.ordered

    async def call(self, *command: Any) -> Any:
        """The reply to one command; raises Unavailable."""
        (reply,) = await self.calls([command])
        return reply

    async def calls(self, commands: Sequence[Command]) -> list[Any]:
        """The replies to commands that are sent together.

        Raises Unavailable if one of them fails, or all if the connection does; what then happened
        to the others is unknown.
        """
        if not commands:
            return []
        if self._closing:
            raise Unavailable("the store is closed")
        if trouble := self._trouble():
            raise Unavailable(trouble)
        if self._waiting >= MAX_WAITING:
            raise Unavailable("the store is busy", detail=f"{self._waiting} calls wait")
        future: asyncio.Future[list[Any]] = self._loop.create_future()
        self._jobs.append(_Job(commands, future, self._loop.time() + CALL_SECONDS))
        self._waiting += 1
        self._schedule()
        return await future

    @property
    def waits(self) -> bool:
        """True where a write must have reached replicas before it counts."""
        return self._link.replicas > 0

    async def settled(self, keys: Iterable[str]) -> None:
        """Returns once the replicas have what was read under ``keys``; raises Unavailable.

        Only where somebody ``waits``; elsewhere there is nothing to settle.
        """
        if self.waits:
            await self.calls([touch(key) for key in keys])

    async def close(self) -> None:
        """Finish what was handed in, then let go of the connections."""
        self._closing = True
        if self._waiting:
            await self._quiet.wait()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._link.close()

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._dispatch)

    def _dispatch(self) -> None:
        self._scheduled = False
        while self._jobs and self._under_way < LANES:
            batch = self._take()
            if batch:
                self._under_way += 1
                self.round_trips += 1
                self._send(batch, [command for job in batch for command in job.commands])

    def _send(self, batch: list[_Job], commands: Sequence[Command]) -> None:
        timer: asyncio.TimerHandle

        def answered(outcome: Outcome) -> None:
            timer.cancel()
            self._answered(batch, outcome)

        try:
            cut = self._link.begin(commands, answered)
        except (TypeError, ValueError) as error:  # what a caller gave can be no command
            self._answered(batch, error)
            return
        if cut is not None:
            # Deadlines come in order, so the first one is the one to keep.
            timer = self._loop.call_at(batch[0].deadline, cut, TimeoutError())
            return
        task = self._loop.create_task(self._run(batch, commands))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _take(self) -> list[_Job]:
        """The next calls, oldest first; those whose caller went away or gave up are dropped."""
        batch: list[_Job] = []
        size = 0
        now = self._loop.time()
        while self._jobs and (not batch or size + len(self._jobs[0].commands) <= MAX_BATCH):
            job = self._jobs.popleft()
            if job.future.done() or job.deadline <= now:
                self._settle(job, Unavailable("the store is too slow", detail="redis: not sent"))
            else:
                batch.append(job)
                size += len(job.commands)
        return batch

    async def _run(self, batch: list[_Job], commands: Sequence[Command]) -> None:
        try:
            async with asyncio.timeout_at(batch[0].deadline):
                replies = await self._link.run(commands)
        except (RedisError, OSError) as error:  # a TimeoutError is an OSError
            self._answered(batch, error)
        except BaseException as error:  # this task was cancelled, or there is a mistake in it
            self._answered(batch, error)
            raise
        else:
            self._answered(batch, replies)

    def _answered(self, batch: list[_Job], outcome: Outcome) -> None:
        """The end of a round trip, whose lane is free for the next."""
        self._under_way -= 1
        if isinstance(outcome, list):
            start = 0
            for job in batch:
                end = start + len(job.commands)
                self._settle(job, outcome[start:end])
                start = end
        else:
            error = unavailable(outcome)
            for job in batch:
                # one error object for each, since a raised error gathers a traceback
                self._settle(job, Unavailable(error.sentence, detail=error.detail))
        if self._jobs:
            self._schedule()

    def _settle(self, job: _Job, outcome: list[Any] | Unavailable) -> None:
        self._waiting -= 1
        if self._closing and not self._waiting:
            self._quiet.set()
        if job.future.done():
            return  # its caller was cancelled
        if isinstance(outcome, Unavailable):
            job.future.set_exception(outcome)
            return
        for reply in outcome:
            if isinstance(reply, Exception):
                job.future.set_exception(unavailable(reply))
                return
        job.future.set_result(outcome)


def unavailable(error: BaseException) -> Unavailable:
    """What a caller hears when Redis fails or refuses; the cause is for the audit."""
    if isinstance(error, Unwelcome):
        return Unavailable(str(error), detail=f"redis: {type(error).__name__}")
    if isinstance(error, ResponseError) and "Function not found" in str(error):
        return Unavailable("the store lacks functions that this broker needs", detail=UNLOADED)
    text = f"redis: {type(error).__name__}: {error}"
    return Unavailable("the store cannot be reached", detail=text[:MAX_DETAIL_LENGTH])

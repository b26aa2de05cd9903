"""One way to Redis for everything: commands are collected, sent together and answered in order.

A caller never touches a connection. It hands in its commands and waits for a future; a task of
this class writes them and reads every reply. A caller that is cancelled leaves the connection as
it is, and its replies are read and dropped. If that task itself is cut short, by a deadline or an
error, the connection is discarded. So no reply can ever reach the wrong caller (CVE-2023-28859).

Commands that arrive while all lanes are busy, or within one tick of the event loop, share the next
round trip. Nothing is sent twice: whether to try again is for the caller to say.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from redis.exceptions import RedisError

from adapters.stores.redis_links import Command, Link, Unwelcome, touch
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


@dataclass(frozen=True, slots=True)
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
        self._scheduled = False
        self._closing = False

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
        while self._waiting:
            await asyncio.sleep(0)
            if self._tasks:
                await asyncio.wait(self._tasks)
        await self._link.close()

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._dispatch)

    def _dispatch(self) -> None:
        self._scheduled = False
        while self._jobs and len(self._tasks) < LANES:
            batch = self._take()
            if batch:
                task = self._loop.create_task(self._run(batch))
                self._tasks.add(task)
                task.add_done_callback(self._lane_is_free)

    def _lane_is_free(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if self._jobs:
            self._schedule()

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

    async def _run(self, batch: list[_Job]) -> None:
        commands = [command for job in batch for command in job.commands]
        self.round_trips += 1
        try:
            # Deadlines come in order, so the first one is the one to keep.
            async with asyncio.timeout_at(batch[0].deadline):
                replies = await self._link.run(commands)
        except (RedisError, OSError) as error:  # a TimeoutError is an OSError
            self._fail(batch, unavailable(error))
        except BaseException as error:  # this task was cancelled, or there is a mistake in it
            self._fail(batch, unavailable(error))
            raise
        else:
            start = 0
            for job in batch:
                end = start + len(job.commands)
                self._settle(job, replies[start:end])
                start = end

    def _fail(self, batch: list[_Job], error: Unavailable) -> None:
        for job in batch:
            # one error object for each, since a raised error gathers a traceback
            self._settle(job, Unavailable(error.sentence, detail=error.detail))

    def _settle(self, job: _Job, outcome: list[Any] | Unavailable) -> None:
        self._waiting -= 1
        if job.future.done():
            return  # its caller was cancelled
        if isinstance(outcome, Unavailable):
            job.future.set_exception(outcome)
            return
        refused = next((reply for reply in outcome if isinstance(reply, Exception)), None)
        if refused is None:
            job.future.set_result(outcome)
        else:
            job.future.set_exception(unavailable(refused))


def unavailable(error: BaseException) -> Unavailable:
    """What a caller hears when Redis fails or refuses; the cause is for the audit."""
    if isinstance(error, Unwelcome):
        return Unavailable(str(error), detail=f"redis: {type(error).__name__}")
    text = f"redis: {type(error).__name__}: {error}"
    return Unavailable("the store cannot be reached", detail=text[:MAX_DETAIL_LENGTH])

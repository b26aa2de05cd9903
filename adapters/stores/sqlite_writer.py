"""One thread that writes, and commits for many at once.

A commit waits for the disk. Writes that arrive during that time are collected and share the next
transaction, so that the disk is waited for once per group (docs/decisions/0001). Each is in a
savepoint of its own: one that fails takes none of its neighbours along. Nobody hears of success
before the commit.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import random
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from adapters.stores.sqlite_schema import WRITE_WAIT_SECONDS, connect, unavailable
from broker.errors import InvalidRequest, Unavailable

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

MAX_BATCH = 256
"""Writes in one transaction."""

MAX_WAITING = 4096
"""Writes handed in and not yet answered."""

LOCK_PAUSE_SECONDS = 0.002
"""The longest pause between two tries for the write lock; SQLite's own grow to 100 ms, in which a
busy neighbour takes the lock a hundred times."""


@dataclass(frozen=True, slots=True)
class _Job:
    work: Work[Any]
    future: asyncio.Future[Any]


_Outcome = tuple[_Job, Any, Exception | None]


class Writer:
    """The only writer of this process. ``transactions`` counts the commits."""

    def __init__(self, path: Path) -> None:
        """Must be called on the event loop it will serve; raises sqlite3.Error."""
        self.transactions = 0
        self._connection = connect(path, 0)
        self._loop = asyncio.get_running_loop()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._waiting = 0
        self._closing = False
        self._stopped = asyncio.Event()
        # A daemon: an interpreter that ends without close() is like a crash, which is survived.
        threading.Thread(target=self._run, name="sqlite-writer", daemon=True).start()

    async def run(self, work: Work[T]) -> T:
        """What ``work`` returns or raises, once it is on disk.

        If the caller is cancelled meanwhile, the write may still happen. Raises Unavailable if
        the store is full, locked, failing, closed, or has too many writes waiting.
        """
        if self._closing:
            raise Unavailable("the store is closed")
        if self._waiting >= MAX_WAITING:
            raise Unavailable("the store is busy", detail=f"{self._waiting} writes wait")
        future: asyncio.Future[T] = self._loop.create_future()
        self._waiting += 1
        self._jobs.put(_Job(work, future))
        return await future

    async def close(self) -> None:
        """Finish what was handed in, then close the file."""
        if not self._closing:
            self._closing = True
            self._jobs.put(None)
        await self._stopped.wait()

    # -- on the writer's thread ------------------------------------------------------------------

    def _run(self) -> None:
        open_for_more = True
        # a closed loop (RuntimeError) has nobody left to answer
        with contextlib.suppress(RuntimeError), contextlib.closing(self._connection):
            while open_for_more:
                batch, open_for_more = self._take()
                if batch:
                    outcomes = self._apply(batch)
                    self._loop.call_soon_threadsafe(self._settle, outcomes)
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._stopped.set)

    def _take(self) -> tuple[list[_Job], bool]:
        """Wait for one job and take what else is there; False once closing."""
        batch: list[_Job] = []
        job = self._jobs.get()
        with contextlib.suppress(queue.Empty):
            while job is not None:
                batch.append(job)
                if len(batch) == MAX_BATCH:
                    break
                job = self._jobs.get_nowait()
        return batch, job is not None

    def _apply(self, batch: list[_Job]) -> list[_Outcome]:
        try:
            self._begin()
            outcomes = [self._attempt(job) for job in batch]
            self._connection.execute("COMMIT")
        except Exception as error:  # whatever it is, a dead writer would leave everybody waiting
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            return [(job, None, unavailable(error)) for job in batch]
        self.transactions += 1
        return outcomes

    def _begin(self) -> None:
        """Take the write lock; short random pauses share it fairly among processes."""
        give_up_at = time.monotonic() + WRITE_WAIT_SECONDS
        while True:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    raise
                if time.monotonic() >= give_up_at:
                    raise
            else:
                return
            time.sleep(random.uniform(0, LOCK_PAUSE_SECONDS))  # noqa: S311 - no secret

    def _attempt(self, job: _Job) -> _Outcome:
        self._connection.execute("SAVEPOINT job")
        try:
            result = job.work(self._connection)
        except Exception as error:
            if _spoils_the_transaction(error):
                raise
            self._connection.execute("ROLLBACK TO job")
            self._connection.execute("RELEASE job")
            return job, None, _named(error)
        self._connection.execute("RELEASE job")
        return job, result, None

    # -- back on the event loop ------------------------------------------------------------------

    def _settle(self, outcomes: list[_Outcome]) -> None:
        self._waiting -= len(outcomes)
        for job, result, error in outcomes:
            if job.future.done():
                continue  # its caller was cancelled
            if error is None:
                job.future.set_result(result)
            else:
                job.future.set_exception(error)


def _spoils_the_transaction(error: Exception) -> bool:
    """Disk full, input or output, corruption: SQLite may have rolled everything back by itself."""
    return isinstance(error, sqlite3.OperationalError) or type(error) is sqlite3.DatabaseError


def _named(error: Exception) -> Exception:
    if isinstance(error, UnicodeEncodeError):
        return InvalidRequest("a name in this request is not Unicode text")
    return error

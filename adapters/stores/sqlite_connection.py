"""One open SQLite file: a thread that writes, and two connections that read.

In WAL mode readers wait for no writer. A look-up by key runs inline on the event loop, because it
takes a few microseconds and a hand-over to a thread several times that; lists go to a thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from adapters.stores.sqlite_schema import READ_WAIT_SECONDS, connect, unavailable
from adapters.stores.sqlite_writer import T, Work, Writer
from broker.errors import Unavailable

Row = tuple[Any, ...]
Values = tuple[object, ...]


class Database:
    """What the stores are written with. Every failure of SQLite comes out as Unavailable."""

    def __init__(self, path: Path) -> None:
        """Must be called on the event loop it will serve; raises Unavailable."""
        with _failures_named():
            self._look_ups = connect(path, READ_WAIT_SECONDS)
            self._lists = connect(path, READ_WAIT_SECONDS)
            for connection in (self._look_ups, self._lists):
                connection.execute("PRAGMA query_only = ON")
            self.writer = Writer(path)
        self._lister = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sqlite-lists")

    async def write(self, work: Work[T]) -> T:
        """What ``work`` returns or raises, once it is durable; raises Unavailable."""
        return await self.writer.run(work)

    def row(self, sql: str, values: Values = ()) -> Row | None:
        """At most one row, by key. Never blocks on a writer; raises Unavailable."""
        with _failures_named():
            try:
                # fetchall ends the statement, and with it the snapshot that it reads from
                rows: list[Row] = self._look_ups.execute(sql, values).fetchall()
            except UnicodeEncodeError:
                return None  # text that is not Unicode names nothing here
        return rows[0] if rows else None

    async def rows(self, sql: str, values: Values = ()) -> list[Row]:
        """All rows; raises Unavailable."""

        def read() -> list[Row]:
            with _failures_named():
                try:
                    return self._lists.execute(sql, values).fetchall()
                except UnicodeEncodeError:
                    return []

        try:
            listed = self._lister.submit(read)
        except RuntimeError as error:
            raise Unavailable("the store is closed") from error
        return await asyncio.wrap_future(listed)

    async def close(self) -> None:
        """Finish all writes, then close; the last process to do so folds the log into the file."""
        await self.writer.close()
        with contextlib.suppress(RuntimeError):  # closed before
            await asyncio.wrap_future(self._lister.submit(self._lists.close))
        self._lister.shutdown(wait=False)
        self._look_ups.close()


@contextlib.contextmanager
def _failures_named() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise unavailable(error) from error

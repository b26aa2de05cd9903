"""Opening the two stores of a copy: the one that is read, and the empty one that is begun."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from adapters.keys.deployment import KeyWrapper, Slots, read_slots
from adapters.keys.root_secret import Sealer
from adapters.stores import SQLITE_PREFIX, Stores, open_stores
from adapters.stores.announcements import OUTBOX_KEY
from adapters.stores.copy_marks import FIELD, CopyRefused, Place, Work, begun
from adapters.stores.copy_sqlite import reading
from adapters.stores.copy_tables import tables
from adapters.stores.redis import stores_on
from adapters.stores.redis_commands import Commands
from adapters.stores.redis_keys import (
    CONFIGURATION,
    DOCUMENTS,
    GENERATION,
    META,
    OUTBOX,
    REQUEST,
    SESSION,
    SHARDS,
    SPENT,
    due,
    expiry,
)
from adapters.stores.redis_outbox import RedisOutbox
from adapters.stores.redis_schema import SCHEMA_VERSION, MetaCell, check_functions
from adapters.stores.redis_sessions import RedisSessions
from adapters.stores.redis_urls import link_to
from adapters.stores.sqlite import MetaCell as MetaRow
from adapters.stores.sqlite_connection import Database
from adapters.stores.sqlite_schema import prepare
from broker.errors import Unavailable

NOTHING_THERE = "there is no store of Remint in FROM"


@dataclass(frozen=True, slots=True)
class RedisSide:
    """A Redis behind the stores, with a way of its own to what the ports do not list."""

    stores: Stores
    commands: Commands
    answers: Sealer = field(repr=False)
    sessions: RedisSessions
    outbox: RedisOutbox


@contextlib.contextmanager
def named(side: str) -> Iterator[None]:
    """Says which of the two cannot be reached."""
    try:
        yield
    except Unavailable as error:
        raise Unavailable(f"{side}: {error.sentence}", detail=error.detail) from error


async def opened_file(
    stack: contextlib.AsyncExitStack, url: str, wrappers: Sequence[KeyWrapper]
) -> tuple[Stores, sqlite3.Connection, Slots]:
    """The store in a file that is there, and a connection to read its rows by.

    Raises CopyRefused, and the errors of ``open_stores``.
    """
    path = path_of(url)
    if not _has_tables(path):
        raise CopyRefused(NOTHING_THERE)
    stores = await open_stores(url, *wrappers)
    stack.push_async_callback(stores.close)
    connection = stack.enter_context(reading(path))
    return stores, connection, await _slots(stores)


def path_of(url: str) -> Path:
    """Of a URL that was checked."""
    return Path(url.removeprefix(SQLITE_PREFIX))


def _has_tables(path: Path) -> bool:
    """Looks only, since opening makes what is not there."""
    if not path.is_file():
        return False
    with reading(path) as connection:
        return connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone() is not None


async def opened_redis(
    stack: contextlib.AsyncExitStack, url: str, wrappers: Sequence[KeyWrapper]
) -> tuple[RedisSide, Slots]:
    """The store in a Redis that has one. Raises CopyRefused, and the errors of ``open_stores``."""
    commands = Commands(link_to(url))
    stack.push_async_callback(commands.close)
    if await commands.call("HGET", META, "schema") is None:
        raise CopyRefused(NOTHING_THERE)
    stores = await open_stores(url, *wrappers)
    stack.push_async_callback(stores.close)
    return _redis(stores, commands), await _slots(stores)


async def _slots(stores: Stores) -> Slots:
    if stores.slots is None:
        raise CopyRefused("FROM has no key slots to copy")
    _, slots = await read_slots(stores.slots)
    return slots


async def begun_in_redis(
    stack: contextlib.AsyncExitStack, url: str, source: Stores, slots: Slots
) -> tuple[RedisSide, Work]:
    """Begin a copy in a Redis that has the functions, or go on with it.

    Raises CopyRefused, FunctionsMissing, Unavailable.
    """
    link = link_to(url)
    commands = Commands(link)
    stack.push_async_callback(commands.close)
    await check_functions(link)
    work = await begun(_place_in_redis(commands), slots)
    stores = stores_on(link, commands, replace(source.deployment, store_id=work.store_id))
    stack.push_async_callback(stores.close)
    return _redis(stores, commands), work


def _redis(stores: Stores, commands: Commands) -> RedisSide:
    root = stores.deployment.key
    sessions = RedisSessions(
        commands, Sealer(root.derive("sessions")), root.derive("session-digests")
    )
    outbox = RedisOutbox(commands, Sealer(root.derive(OUTBOX_KEY)))
    return RedisSide(stores, commands, Sealer(root.derive("answers")), sessions, outbox)


def _place_in_redis(commands: Commands) -> Place:
    collections = [
        *(DOCUMENTS, CONFIGURATION, GENERATION),
        *(
            due(kind, shard)
            for kind in (REQUEST, SESSION, SPENT, OUTBOX)
            for shard in range(SHARDS)
        ),
        *(expiry(shard) for shard in range(SHARDS)),
    ]

    async def occupied() -> bool:
        return any(await commands.calls([("EXISTS", name) for name in collections]))

    async def prepare_marker() -> None:
        await commands.call("HSETNX", META, "schema", SCHEMA_VERSION)

    return Place(MetaCell(commands, FIELD), MetaCell(commands), occupied, prepare_marker)


async def begun_in_file(
    stack: contextlib.AsyncExitStack, url: str, source: sqlite3.Connection, slots: Slots
) -> tuple[Database, Work]:
    """Begin a copy in a file, which is made, or go on with it. Raises CopyRefused."""
    path = path_of(url)
    prepare(path)
    database = Database(path)
    stack.push_async_callback(database.close)
    return database, await begun(_place_in_file(database, source), slots)


def _place_in_file(database: Database, source: sqlite3.Connection) -> Place:
    names = [table.name for table in tables(source)]

    async def occupied() -> bool:
        asked = (f"SELECT 1 FROM {name} LIMIT 1" for name in names)  # noqa: S608 - of the schema
        return any(database.row(sql) is not None for sql in asked)

    async def nothing() -> None:
        return None

    return Place(MetaRow(database, FIELD), MetaRow(database), occupied, nothing)

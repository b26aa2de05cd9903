"""The two ends of a copy, opened: which stores can be copied into which, and what that moves."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from adapters.keys.deployment import KeyWrapper
from adapters.keys.root_secret import Sealer
from adapters.realms import DOCUMENT as REALMS_DOCUMENT
from adapters.stores import MEMORY_URL, SQLITE_PREFIX, Stores, check_url
from adapters.stores import copy_ports as ports
from adapters.stores import copy_redis as redis
from adapters.stores import copy_sqlite as rows
from adapters.stores.announcements import OUTBOX_KEY
from adapters.stores.copy_doors import (
    begun_in_file,
    begun_in_redis,
    named,
    opened_file,
    opened_redis,
    path_of,
)
from adapters.stores.copy_factors import Factors
from adapters.stores.copy_marks import CopyRefused, Work
from adapters.stores.copy_outbox import RedisAnnouncements, SqliteAnnouncements
from adapters.stores.copy_parts import Kind
from adapters.stores.copy_requests import RedisRequests, SqliteRequests
from adapters.stores.copy_tables import TableSource, TableTarget, tables
from broker.model import ROOT_REALM


@dataclass(frozen=True, slots=True)
class Sides:
    """What is copied, and the store that it is copied into."""

    kinds: Sequence[Kind[Any]]
    work: Work
    source_changed: Callable[[], bool] = lambda: False
    left_behind: rows.LeftBehind = field(default_factory=rows.LeftBehind)


@contextlib.asynccontextmanager
async def opened_sides(
    source: str,
    target: str,
    wrappers: Sequence[KeyWrapper],
    realms: Sequence[str],
    *,
    leave_behind: bool,
) -> AsyncIterator[Sides]:
    """Open both, and begin the copy or go on with it.

    ``leave_behind`` says that spent one-time tokens which cannot move may stay.
    Raises ValueError for a URL that cannot be read, CopyRefused, and the errors of
    ``open_stores``.
    """
    _check(source, target)
    async with contextlib.AsyncExitStack() as stack:
        if not source.startswith(SQLITE_PREFIX):
            sides = await _between_redis(stack, source, target, wrappers, realms)
        elif target.startswith(SQLITE_PREFIX):
            sides = await _between_files(stack, source, target, wrappers)
        else:
            sides = await _file_to_redis(
                stack, source, target, wrappers, realms, leave_behind=leave_behind
            )
        yield sides


def _check(source: str, target: str) -> None:
    for url in (source, target):
        check_url(url)
        if url == MEMORY_URL:
            raise CopyRefused("memory:// is gone when its broker stops; there is nothing to copy")
    if source == target:
        raise CopyRefused("FROM and TO are the same store")
    if target.startswith(SQLITE_PREFIX) and not source.startswith(SQLITE_PREFIX):
        raise CopyRefused(
            "Redis keeps requests and sessions by digests that SQLite could not find them by; "
            "move the configuration with `remint export` and `remint import`"
        )


# -- the three ways ------------------------------------------------------------------------------


async def _file_to_redis(
    stack: contextlib.AsyncExitStack,
    source: str,
    target: str,
    wrappers: Sequence[KeyWrapper],
    realms: Sequence[str],
    *,
    leave_behind: bool,
) -> Sides:
    stores, connection, slots = await opened_file(stack, source, wrappers)
    version = rows.data_version(connection)
    behind = rows.left_behind(connection, time.time())
    if behind.spent and not leave_behind:
        raise CopyRefused(behind.sentence)
    with named("TO"):
        there, work = await begun_in_redis(stack, target, stores, slots)
    known = rows.realms_of_users(connection) | await _realms(realms, stores, there.stores)
    (tokens,) = connection.execute("SELECT count(*) FROM tokens").fetchone()
    return Sides(
        [
            *_by_ports(stores, there.stores, known, tokens),
            Kind(
                "requests",
                SqliteRequests(connection, there.answers),
                RedisRequests(there.commands, there.answers),
            ),
            Kind(
                "sessions",
                rows.SqliteSessionRows(connection),
                redis.Sessions(there.commands, there.sessions),
            ),
            Kind(
                "spent tokens",
                rows.SqliteSpentRows(connection),
                redis.SpentTokens(there.commands),
            ),
            Kind(
                "announcements",
                SqliteAnnouncements(connection, Sealer(stores.deployment.key.derive(OUTBOX_KEY))),
                RedisAnnouncements(there.commands, there.outbox),
            ),
        ],
        work,
        source_changed=lambda: rows.data_version(connection) != version,
        left_behind=behind,
    )


async def _between_redis(
    stack: contextlib.AsyncExitStack,
    source: str,
    target: str,
    wrappers: Sequence[KeyWrapper],
    realms: Sequence[str],
) -> Sides:
    with named("FROM"):
        here, slots = await opened_redis(stack, source, wrappers)
    with named("TO"):
        there, work = await begun_in_redis(stack, target, here.stores, slots)
    known = await _realms(realms, here.stores, there.stores)
    tokens = await redis.tokens_in(here.commands)
    return Sides(
        [
            *_by_ports(here.stores, there.stores, known, tokens),
            Kind(
                "requests",
                RedisRequests(here.commands, here.answers),
                RedisRequests(there.commands, there.answers),
            ),
            Kind(
                "sessions",
                redis.Sessions(here.commands, here.sessions),
                redis.Sessions(there.commands, there.sessions),
            ),
            Kind(
                "spent tokens",
                redis.SpentTokens(here.commands),
                redis.SpentTokens(there.commands),
            ),
            Kind(
                "announcements",
                RedisAnnouncements(here.commands, here.outbox),
                RedisAnnouncements(there.commands, there.outbox),
            ),
        ],
        work,
    )


async def _between_files(
    stack: contextlib.AsyncExitStack, source: str, target: str, wrappers: Sequence[KeyWrapper]
) -> Sides:
    if path_of(target).resolve() == path_of(source).resolve():
        raise CopyRefused("FROM and TO are the same store")
    _, connection, slots = await opened_file(stack, source, wrappers)
    version = rows.data_version(connection)
    database, work = await begun_in_file(stack, target, connection, slots)
    return Sides(
        [
            Kind(table.name, TableSource(connection, table), TableTarget(database, table))
            for table in tables(connection)
        ],
        work,
        source_changed=lambda: rows.data_version(connection) != version,
    )


def _by_ports(
    source: Stores, target: Stores, realms: Iterable[str], tokens: int | None
) -> list[Kind[Any]]:
    known = frozenset(realms)
    return [
        Kind(
            "configuration",
            ports.Configuration(source.configuration),
            ports.Configuration(target.configuration),
        ),
        Kind("instances", ports.Instances(source.instances), ports.Instances(target.instances)),
        Kind("users", ports.Users(source.users, known), ports.Users(target.users, known)),
        Kind("factors", Factors(source.factors, known), Factors(target.factors, known)),
        Kind("tokens", ports.Tokens(source, tokens), ports.Tokens(target)),
    ]


async def _realms(declared: Sequence[str], *sides: Stores) -> set[str]:
    """Where users may be: Redis does not list its realms by itself."""
    realms = {ROOT_REALM, *declared}
    for stores in sides:
        realms |= {document.realm for document in await stores.instances.list()}
        value = await stores.configuration.get(REALMS_DOCUMENT)
        if value is not None:
            realms |= {str(row["path"]) for row in orjson.loads(value)["realms"]}
    return realms

"""Stores in Redis, shared by brokers on many machines; one file beside this for each store.

docs/redis.md says what stands under which key, and what the broker's user must be allowed.
"""

from __future__ import annotations

import asyncio
import contextlib

import structlog

from adapters.keys.root_secret import RootSecret, Sealer
from adapters.stores import Stores
from adapters.stores.redis_commands import Commands
from adapters.stores.redis_instances import RedisInstances
from adapters.stores.redis_ledger import RedisLedger
from adapters.stores.redis_links import Link
from adapters.stores.redis_propagation import Propagation
from adapters.stores.redis_replays import RedisReplays
from adapters.stores.redis_schema import (
    FunctionsDiffer,
    FunctionsMissing,
    check_functions,
    load_functions,
    recognise,
)
from adapters.stores.redis_sessions import RedisSessions
from adapters.stores.redis_tokens import RedisTokens
from adapters.stores.redis_urls import is_redis, link_to
from adapters.stores.redis_users import RedisUsers
from broker.errors import Unavailable

_log = structlog.get_logger(__name__)

__all__ = ["is_redis", "load_functions", "open_redis", "stores_on"]


async def open_redis(url: str, root: RootSecret) -> Stores:
    """The stores behind a URL of Redis (``redis_urls`` lists the kinds).

    Raises ValueError for a URL it cannot read, FunctionsMissing, ForeignStore, SchemaTooNew, and
    Unavailable if Redis cannot be reached.
    """
    link = link_to(url)
    commands = Commands(link)
    try:
        await _ensure_functions(link, url)
        await recognise(commands, root.fingerprint)
    except BaseException:
        await commands.close()
        raise
    return stores_on(link, commands, root)


async def _ensure_functions(link: Link, url: str) -> None:
    """Load the functions where they are missing and the URL's user may; a broker's user as
    docs/redis.md makes it may not, and then an administrator has to. Raises FunctionsMissing."""
    try:
        await check_functions(link)
    except FunctionsDiffer:
        raise
    except FunctionsMissing:
        with contextlib.suppress(Unavailable):
            for warning in await load_functions(url):
                _log.warning(warning)
        await check_functions(link)


def stores_on(link: Link, commands: Commands, root: RootSecret) -> Stores:
    """The stores of a Redis that was found to be ours."""
    records = Sealer(root.derive("records"))
    instances = RedisInstances(commands, Sealer(root.derive("instances")))
    propagation = Propagation(link, instances.stale)
    closed = asyncio.Lock()

    async def close() -> None:
        async with closed:
            await propagation.close()
            await commands.close()

    return Stores(
        tokens=RedisTokens(commands, records),
        ledger=RedisLedger(commands, Sealer(root.derive("answers")), records),
        replays=RedisReplays(commands),
        sessions=RedisSessions(
            commands, Sealer(root.derive("sessions")), root.derive("session-digests")
        ),
        instances=instances,
        users=RedisUsers(commands, Sealer(root.derive("users"))),
        on_close=close,
    )

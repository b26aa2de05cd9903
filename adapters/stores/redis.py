"""Stores in Redis, shared by brokers on many machines; one file beside this for each store.

docs/redis.md says what stands under which key, and what the broker's user must be allowed.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from functools import partial

import structlog

from adapters.keys.deployment import Deployment, KeyWrapper
from adapters.keys.root_secret import Sealer
from adapters.stores import EVENTS_KEPT, NO_TERMS, Stores, Terms, refuse_weak
from adapters.stores.announcements import JOURNAL_KEY, OUTBOX_KEY
from adapters.stores.condition import Condition, Durability
from adapters.stores.migration import Migrated, migrate
from adapters.stores.redis_attempts import RedisAttempts
from adapters.stores.redis_cancels import RecentCancels
from adapters.stores.redis_commands import Commands
from adapters.stores.redis_configuration import RedisConfiguration
from adapters.stores.redis_factors import RedisFactors
from adapters.stores.redis_guard import Guard, arm, refuse_emptied
from adapters.stores.redis_instances import RedisInstances
from adapters.stores.redis_journal import RedisJournal
from adapters.stores.redis_ledger import RedisLedger
from adapters.stores.redis_links import Exchange, Link
from adapters.stores.redis_outbox import RedisOutbox
from adapters.stores.redis_propagation import Propagation
from adapters.stores.redis_replays import RedisReplays
from adapters.stores.redis_schema import (
    FunctionsDiffer,
    FunctionsMissing,
    MetaCell,
    check_functions,
    load_functions,
    recognise,
    refuse_part_of_cluster,
)
from adapters.stores.redis_sessions import RedisSessions
from adapters.stores.redis_tokens import RedisTokens
from adapters.stores.redis_urls import is_redis, link_to
from adapters.stores.redis_users import RedisUsers
from adapters.stores.redis_watch import Watch, looked_at
from broker.errors import Unavailable

UNWATCHED = Durability(weaknesses=("nobody has looked at the settings of Redis",), replicated=True)

_log = structlog.get_logger(__name__)

__all__ = ["is_redis", "load_functions", "open_redis", "stores_on"]


async def open_redis(url: str, wrappers: Sequence[KeyWrapper], terms: Terms = NO_TERMS) -> Stores:
    """The stores behind a URL of Redis (``redis_urls`` lists the kinds).

    Raises ValueError for a URL it cannot read, InCluster, FunctionsMissing, ForeignStore,
    SchemaTooNew, StoreEmptied, StoreTooWeak, and Unavailable if Redis cannot be reached.
    """
    link = link_to(url, terms.wait_replicas)
    guard, cancels = Guard(), RecentCancels()

    async def greet(exchange: Exchange) -> None:
        await guard.admit(exchange)
        await cancels.repeat(exchange)

    link.greet(greet)
    commands = Commands(link, lambda: guard.trouble)
    try:
        if terms.expected is not None:
            await refuse_emptied(guard, commands)
        await refuse_part_of_cluster(link)
        await _ensure_functions(link, url)
        durability = await looked_at(link, terms.wait_replicas)
        refuse_weak(durability, terms)
        found = await recognise(commands, wrappers)
        await arm(guard, link, commands, found.store_id)
    except BaseException:
        await commands.close()
        raise
    watch = Watch(link, guard, durability, terms.wait_replicas)
    return stores_on(link, commands, found, watch, cancels, terms.events_kept)


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


def stores_on(
    link: Link,
    commands: Commands,
    found: Deployment,
    watch: Watch | None = None,
    cancels: RecentCancels | None = None,
    events_kept: int = EVENTS_KEPT,
) -> Stores:
    """The stores of a Redis that was found to be ours. Without ``watch`` nobody looks after it."""
    root = found.key
    records = Sealer(root.derive("records"))
    outbox = RedisOutbox(commands, Sealer(root.derive(OUTBOX_KEY)))
    instances = RedisInstances(commands, Sealer(root.derive("instances")), outbox)
    migrated = Migrated(commands)
    tokens = RedisTokens(commands, records, migrated, outbox, cancels)
    propagation = Propagation(link, instances.stale)
    closed = asyncio.Lock()

    async def close() -> None:
        async with closed:
            if watch is not None:
                await watch.close()
            await propagation.close()
            await commands.close()

    return Stores(
        tokens=tokens,
        ledger=RedisLedger(commands, Sealer(root.derive("answers")), records, outbox),
        replays=RedisReplays(commands),
        sessions=RedisSessions(
            commands, Sealer(root.derive("sessions")), root.derive("session-digests")
        ),
        instances=instances,
        configuration=RedisConfiguration(
            commands,
            Sealer(root.derive("configuration")),
            root.derive("configuration-digests"),
            instances,
        ),
        outbox=outbox,
        journal=RedisJournal(commands, Sealer(root.derive(JOURNAL_KEY)), events_kept),
        deployment=found,
        slots=MetaCell(commands),
        users=RedisUsers(commands, Sealer(root.derive("users"))),
        factors=RedisFactors(commands, Sealer(root.derive("factors"))),
        attempts=RedisAttempts(commands),
        current=migrated,
        migrate=partial(migrate, commands, tokens),
        condition=watch or Condition(UNWATCHED),
        on_close=close,
    )

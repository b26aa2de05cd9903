"""Where things are kept: a store of each kind behind one URL.

==================  ===============================================================
``memory://``       this process alone; gone when it ends
``sqlite:///PATH``  one file, shared by the processes of one machine; survives a crash
``redis://…``       a Redis that brokers on many machines share (``redis_urls`` lists its URLs)
==================  ===============================================================

As SQLAlchemy writes them, ``sqlite:///rel`` is a relative path and ``sqlite:////abs`` an absolute.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.stores.condition import IN_FILE, IN_MEMORY, Condition, Durability
from broker.attempts import AttemptStore
from broker.factors import FactorStore
from broker.policy import TOUCH_SECONDS as TOUCH_SECONDS
from broker.ports import (
    ConfigurationStore,
    InstanceStore,
    Journal,
    Outbox,
    ReplayCache,
    RequestLedger,
    SessionStore,
    TokenStore,
    UserStore,
)

if TYPE_CHECKING:  # which imports the errors below
    from adapters.keys.deployment import Cell, Deployment, KeyWrapper

ABANDONED_CLAIM_SECONDS = 24 * 3600
"""How long after its lease a claim without an answer is kept for the next attempt."""

TOMBSTONE_SECONDS = 7 * 24 * 3600
"""How long after its end an answer is remembered as gone."""

REAP_CHUNK = 500
"""How many rows one transaction of a reaper removes at most, so that it holds up nobody."""

EVENTS_KEPT = 1000
"""How many announcements the journal keeps, where the settings do not say."""

UNKNOWN_URL = "the store URL must be memory://, sqlite:///PATH or one of Redis"
MEMORY_URL = "memory://"
SQLITE_PREFIX = "sqlite:///"


class StoreRefused(Exception):
    """The store must not be used by this broker; the sentence says why."""


class ForeignStore(StoreRefused):
    """The store belongs to a deployment with another root secret, or to another program."""


class StoreEmptied(StoreRefused):
    """The store has lost its data; an operator restores them or confirms the loss."""


class StoreTooWeak(StoreRefused):
    """The settings ask for more than the store promises."""


class SchemaTooNew(StoreRefused):
    """A newer version wrote the store."""


class SchemaTooOld(StoreRefused):
    """The store was left behind by more than one version."""


Progress = Callable[[float, int], None]
"""Is told how much is done, from 0 to 1, and how many tokens were looked at."""


@dataclass(frozen=True, slots=True)
class Terms:
    """On which terms a store is opened.

    ``expected`` is the id that it had when it was used last, None if it never was. With
    ``require_durable`` what it acknowledges must outlive the loss of power. ``wait_replicas`` is
    how many replicas of a Redis must have a write before it counts. ``events_kept`` is how many
    announcements the journal keeps; 0 is none.
    """

    expected: str | None = None
    require_durable: bool = False
    wait_replicas: int = 0
    events_kept: int = EVENTS_KEPT


NO_TERMS = Terms()


async def _nothing_to_close() -> None:
    return None


async def _is_current() -> bool:
    return True


async def _nothing_to_migrate(progress: Progress) -> None:
    progress(1.0, 0)


@dataclass(frozen=True, slots=True)
class Stores:
    """One store of each kind, opened together and closed together."""

    tokens: TokenStore
    ledger: RequestLedger
    replays: ReplayCache
    sessions: SessionStore
    instances: InstanceStore
    users: UserStore
    factors: FactorStore
    attempts: AttemptStore
    configuration: ConfigurationStore
    outbox: Outbox
    journal: Journal
    deployment: Deployment
    slots: Cell | None = field(default=None, repr=False)
    """Where the wrapped keys are; None where nothing is kept."""
    current: Callable[[], Awaitable[bool]] = field(default=_is_current, repr=False)
    """Whether the store has been brought to this version's schema; asked of it until it has."""
    migrate: Callable[[Progress], Awaitable[None]] = field(default=_nothing_to_migrate, repr=False)
    """Brings it there, from where an earlier run stopped; raises Unavailable."""
    condition: Condition = field(default=Condition(IN_MEMORY), repr=False)
    """What its word is worth, and whether it is still there."""
    on_close: Callable[[], Awaitable[None]] = field(default=_nothing_to_close, repr=False)

    async def close(self) -> None:
        """Finish the writes that were handed in, then let go of files. Closing twice is fine."""
        await self.on_close()


async def open_stores(url: str, *wrappers: KeyWrapper, terms: Terms = NO_TERMS) -> Stores:
    """The stores behind ``url``, opened by the first of ``wrappers``, or by one it takes over from.

    Raises ValueError for a URL it cannot read, ForeignStore, SchemaTooNew, StoreEmptied,
    StoreTooWeak, WrappingKeyError, and Unavailable if the store cannot be reached.
    """
    # Each store is imported when it is asked for, since it imports the names above.
    if url == MEMORY_URL:
        from adapters.stores.memory import open_memory

        refuse_weak(IN_MEMORY, terms)
        return open_memory(terms.events_kept)
    if url.startswith(SQLITE_PREFIX):
        from adapters.stores.sqlite import open_sqlite

        refuse_weak(IN_FILE, terms)
        opened = await open_sqlite(_sqlite_path(url), wrappers, terms.events_kept)
        return replace(opened, condition=Condition(IN_FILE))
    from adapters.stores.redis_urls import is_redis

    if is_redis(url):
        from adapters.stores.redis import open_redis

        return await open_redis(url, wrappers, terms)
    raise ValueError(UNKNOWN_URL)


def refuse_weak(found: Durability, terms: Terms) -> None:
    """Raises StoreTooWeak for a store that promises less than the terms ask for."""
    if terms.wait_replicas and not found.replicated:
        raise StoreTooWeak("store.wait_replicas: only a Redis has replicas; set it to 0")
    if terms.require_durable and not found.durable:
        raise StoreTooWeak(
            "store.require_durable: the store may lose what it has acknowledged: "
            + "; ".join(found.weaknesses)
        )


def check_url(url: str) -> None:
    """Raises ValueError for a URL that ``open_stores`` cannot read. Opens nothing."""
    if url.startswith(SQLITE_PREFIX):
        _sqlite_path(url)
    elif url != MEMORY_URL:
        from adapters.stores.redis_urls import is_redis, link_to

        if not is_redis(url):
            raise ValueError(UNKNOWN_URL)
        link_to(url)


def _sqlite_path(url: str) -> Path:
    path = url.removeprefix(SQLITE_PREFIX)
    if not path or path.endswith("/") or path == ":memory:" or "\0" in path or "?" in path:
        raise ValueError("a sqlite:/// URL needs the path of a file; memory:// keeps no file")
    return Path(path)

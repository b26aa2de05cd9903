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
from dataclasses import dataclass, field
from pathlib import Path

from adapters.keys.root_secret import RootSecret
from broker.ports import (
    InstanceStore,
    ReplayCache,
    RequestLedger,
    SessionStore,
    TokenStore,
    UserStore,
)

TOUCH_SECONDS = 60
"""A session's last access is written at most this often."""

ABANDONED_CLAIM_SECONDS = 24 * 3600
"""How long after its lease a claim without an answer is kept for the next attempt."""

TOMBSTONE_SECONDS = 7 * 24 * 3600
"""How long after its end an answer is remembered as gone."""

REAP_CHUNK = 500
"""How many rows one transaction of a reaper removes at most, so that it holds up nobody."""

UNKNOWN_URL = "the store URL must be memory://, sqlite:///PATH or one of Redis"
MEMORY_URL = "memory://"
SQLITE_PREFIX = "sqlite:///"


class StoreRefused(Exception):
    """The store must not be used by this broker; the sentence says why."""


class ForeignStore(StoreRefused):
    """The store belongs to a deployment with another root secret, or to another program."""


class SchemaTooNew(StoreRefused):
    """A newer version wrote the store."""


async def _nothing_to_close() -> None:
    return None


@dataclass(frozen=True, slots=True)
class Stores:
    """One store of each kind, opened together and closed together."""

    tokens: TokenStore
    ledger: RequestLedger
    replays: ReplayCache
    sessions: SessionStore
    instances: InstanceStore
    users: UserStore
    on_close: Callable[[], Awaitable[None]] = field(default=_nothing_to_close, repr=False)

    async def close(self) -> None:
        """Finish the writes that were handed in, then let go of files. Closing twice is fine."""
        await self.on_close()


async def open_stores(url: str, root: RootSecret) -> Stores:
    """The stores behind ``url``.

    Raises ValueError for a URL it cannot read, ForeignStore, SchemaTooNew, and Unavailable if the
    store cannot be reached.
    """
    # Each store is imported when it is asked for, since it imports the names above.
    if url == MEMORY_URL:
        from adapters.stores.memory import open_memory

        return open_memory()
    if url.startswith(SQLITE_PREFIX):
        from adapters.stores.sqlite import open_sqlite

        return await open_sqlite(_sqlite_path(url), root)
    from adapters.stores.redis_urls import is_redis

    if is_redis(url):
        from adapters.stores.redis import open_redis

        return await open_redis(url, root)
    raise ValueError(UNKNOWN_URL)


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

"""A store with tokens in it, beside another with more of them."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from adapters.keys.root_secret import RootSecret
from adapters.stores import Stores, open_stores
from bench.lanes import in_lanes
from bench.process import cpu_seconds
from bench.redis_server import redis_server
from bench.tokens import issued

ROOT_SECRET = bytes(range(32))
FILLING_LANES = 1024
"""Commits under way at once while a store is filled; several full round trips of Redis."""


def _nothing() -> float:
    return 0.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where a store is: its URL, the bytes it takes, and the CPU seconds of its own server."""

    url: str
    size: Callable[[], int]
    server_seconds: Callable[[], float] = _nothing


@dataclass(frozen=True, slots=True)
class Filled:
    """An open store with ``tokens`` tokens, what each takes, and how long filling took."""

    place: Place
    stores: Stores
    tokens: int
    bytes_each: float
    seconds: float


@contextlib.contextmanager
def redis_place() -> Iterator[Place]:
    """A Redis of its own."""
    with redis_server() as server:
        yield Place(server.url, server.memory, lambda: cpu_seconds(server.pid))


@contextlib.contextmanager
def sqlite_place() -> Iterator[Place]:
    """A file of its own."""
    with tempfile.TemporaryDirectory(prefix="remint-bench-") as folder:
        path = Path(folder) / "remint.db"

        def size() -> int:
            return sum(file.stat().st_size for file in Path(folder).glob("remint.db*"))

        yield Place(f"sqlite:///{path}", size)


async def filled(place: Place, tokens: int) -> Filled:
    """The store of a place, opened, with that many tokens that came in by the ledger."""
    stores = await open_stores(place.url, RootSecret(ROOT_SECRET))
    now = int(time.time())
    before, started_at = place.size(), time.monotonic()
    await in_lanes(lambda number: issued(number, now).commit(stores), tokens, FILLING_LANES)
    seconds = time.monotonic() - started_at
    return Filled(place, stores, tokens, (place.size() - before) / tokens, seconds)

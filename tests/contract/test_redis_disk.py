"""A Redis whose disk fails, or which comes back without its last writes."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from adapters.stores import Stores, open_stores
from adapters.stores.lost_writes import lost
from broker.errors import Unavailable
from tests.contract.redis_helpers import issue
from tests.contract.roots import ROOT
from tests.support.door import ID_TOKEN, Door, opened, user_input
from tests.support.planted import Planted
from tests.support.redis_rules import documented_rules
from tests.support.redis_server import RedisServer, running_redis

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("redis")]

RESTART_TRIES = 100
MORE_THAN_FIT = 1_000


@pytest.fixture
def mortal() -> Iterator[RedisServer]:
    """A server of the test's own."""
    with running_redis(documented_rules()) as running:
        running.empty()
        yield running


@asynccontextmanager
async def _stores(redis: RedisServer) -> AsyncIterator[Stores]:
    stores = await open_stores(redis.url, ROOT)
    try:
        yield stores
    finally:
        await stores.close()


def _append_only_file(redis: RedisServer) -> Path:
    (found,) = redis.folder.glob("appendonlydir/*.incr.aof")
    return found


async def test_a_full_disk_acknowledges_nothing(mortal: RedisServer) -> None:
    """When Redis cannot write, no caller hears of success; all that was acknowledged is there
    after a restart, and the same broker goes on (F28)."""
    acknowledged = []
    async with _stores(mortal) as stores:
        size = _append_only_file(mortal).stat().st_size
        resource.prlimit(mortal.pid, resource.RLIMIT_FSIZE, (size + 20_000, size + 20_000))
        with contextlib.suppress(Unavailable):
            for number in range(MORE_THAN_FIT):
                await issue(stores, f"token-{number}")
                acknowledged.append(f"token-{number}")
        mortal.kill()
        mortal.start()
        assert 0 < len(acknowledged) < MORE_THAN_FIT
        for _ in range(RESTART_TRIES):
            try:
                found = [await stores.tokens.get(name) for name in acknowledged]
                break
            except Unavailable:
                await asyncio.sleep(0.05)
        assert None not in found
        await issue(stores, "afterwards")


async def test_a_store_without_its_last_writes_is_noticed(
    mortal: RedisServer, tmp_path: Path, planted: Planted
) -> None:
    """After the tail of the append-only file was cut off, the next start says that tokens which
    were handed out are gone; before, and when older ones were cancelled, it says nothing (F27)."""
    audit = tmp_path / "audit.log"
    secret = {"root_secret": "11" * 32}
    async with opened(tmp_path, planted, store={"url": mortal.url}, keys=secret) as door:
        for _ in range(3):
            await _issued(door)
        await _cancel_newest_but_one(door, audit)
        assert await lost(audit, door.broker.stores.tokens, time.time()) == 0
        kept = _append_only_file(mortal).stat().st_size
        for _ in range(2):
            await _issued(door)
    mortal.kill()
    with _append_only_file(mortal).open("r+b") as file:
        file.truncate(kept)
    mortal.start()
    async with opened(tmp_path, planted, store={"url": mortal.url}, keys=secret) as door:
        assert await lost(audit, door.broker.stores.tokens, time.time()) == 2
        assert "the last 2 tokens" in " ".join(door.broker.warnings)
        await _issued(door)
        assert await lost(audit, door.broker.stores.tokens, time.time()) == 0


async def _issued(door: Door) -> None:
    assert (await door.translate(user_input(), ID_TOKEN)).status == 200


async def _cancel_newest_but_one(door: Door, audit: Path) -> None:
    """As another broker would, which leaves no line in this one's audit file."""
    aliases = [line["token_alias"] for line in door.audit() if "kept_until" in line]
    assert await door.broker.stores.tokens.cancel(aliases[-2])

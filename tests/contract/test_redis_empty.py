"""A Redis that came back empty is not served from, and one that lost cancels gets them again."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from redis.crc import key_slot

from adapters.stores import StoreEmptied, StoreRefused, Stores, Terms, open_stores
from adapters.stores.condition import StoreReplaced
from adapters.stores.guard import KnownStores
from adapters.stores.redis import load_functions
from adapters.stores.redis_cancels import CHUNK, MAX_RECENT, RECENT_SECONDS, RecentCancels
from adapters.stores.redis_confirm import Loss, accept_part, loss_of
from adapters.stores.redis_guard import mark_keys
from adapters.stores.redis_keys import META
from broker.errors import Unavailable
from broker.testing import NOW, an_announcement, an_instance_document
from tests.contract.redis_helpers import issue, issue_claimed, keys_in
from tests.contract.roots import ROOT
from tests.support.redis_groups import RedisCluster, running_cluster, running_sentinels
from tests.support.redis_rules import documented_cluster_rules, documented_rules
from tests.support.redis_server import RedisServer, running_redis
from tests.support.slow_proxy import slow_proxy

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("redis")]

PATIENCE_SECONDS = 20.0


@pytest.fixture
def mortal() -> Iterator[RedisServer]:
    """A server of the test's own, whose data may go."""
    with running_redis(documented_rules()) as running:
        running.empty()
        yield running


@pytest.fixture
async def stores(mortal: RedisServer) -> AsyncIterator[Stores]:
    opened = await open_stores(mortal.url, ROOT)
    yield opened
    await opened.close()


def restart(redis: RedisServer, *, empty: bool = False, aside: Path | None = None) -> None:
    """``kill -9`` and a new start; without data, which are kept ``aside``, or with those."""
    redis.kill()
    data = redis.folder / "appendonlydir"
    if empty and aside is not None:
        shutil.move(data, aside)
    elif empty:
        shutil.rmtree(data)
    elif aside is not None:
        shutil.rmtree(data)
        shutil.move(aside, data)
    redis.start()


async def until(found: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            if found():
                return
            await asyncio.sleep(0.02)


async def answers(call: Callable[[], Awaitable[object]]) -> object:
    """The first result that is not Unavailable."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            try:
                return await call()
            except Unavailable:
                await asyncio.sleep(0.02)


# -- at start --------------------------------------------------------------------------------------


async def test_a_store_that_was_used_and_is_empty_is_refused(redis: RedisServer) -> None:
    """The broker names the two commands of the operator, even where functions are gone too, and
    makes no marker."""
    for functions in (True, False):
        if not functions:
            redis.cli("FUNCTION", "FLUSH")
        with pytest.raises(StoreEmptied, match=r"confirm-empty.*remint import"):
            await open_stores(redis.url, ROOT, terms=Terms(expected="0123"))
    assert keys_in(redis) == []


async def test_a_note_of_the_administrator_is_no_marker(redis: RedisServer) -> None:
    """Loading the functions again after a loss does not make the store look used."""
    await load_functions(redis.administrator_url)
    assert keys_in(redis) == [META]
    with pytest.raises(StoreEmptied):
        await open_stores(redis.url, ROOT, terms=Terms(expected="0123"))


async def test_a_store_that_was_confirmed_since_is_opened(redis: RedisServer) -> None:
    """Another id than expected is no loss: somebody made a new store of the same deployment."""
    first = await open_stores(redis.url, ROOT)
    await first.close()
    second = await open_stores(redis.url, ROOT, terms=Terms(expected="0123"))
    assert second.deployment.store_id == first.deployment.store_id
    await second.close()


def test_store_ids_are_remembered_without_credentials(tmp_path: Path) -> None:
    """One private file tells stores apart by place, whoever logs in and however hosts are put."""
    known = KnownStores(tmp_path)
    assert known.id_of("redis://u:pass-1@host/0") is None
    known.remember("redis://u:pass-1@host/0", "a")
    known.remember("redis+cluster://u:pass-1@a:1,b:2", "b")
    again = KnownStores(tmp_path)
    assert again.id_of("redis://v:pass-2@HOST/0") == "a"
    assert again.id_of("redis+cluster://b:2,a:1") == "b"
    for other in ("redis://host/1", "rediss://host/0", "redis://other/0"):
        assert again.id_of(other) is None
    (file,) = tmp_path.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert "pass-1" not in file.read_text()
    assert "host" not in file.read_text()


def test_a_file_of_store_ids_that_is_broken_is_no_licence(tmp_path: Path) -> None:
    """A memory that cannot be read is a refusal, which names the file."""
    known = KnownStores(tmp_path)
    known.remember("redis://host", "a")
    (file,) = tmp_path.iterdir()
    for text in ("{", "[]", '{"a": 1}'):
        file.write_text(text)
        with pytest.raises(StoreRefused, match=file.name):
            known.id_of("redis://host")


# -- while the broker runs -------------------------------------------------------------------------


async def test_a_restart_without_data_is_not_served_from(
    mortal: RedisServer, stores: Stores, tmp_path: Path
) -> None:
    """From its first connection on every call is refused with the reason and nothing is written;
    once the data are back the same broker goes on."""
    await issue(stores, "a")
    restart(mortal, empty=True, aside=tmp_path / "data")
    mortal.empty()
    for call in (
        partial(stores.tokens.get, "a"),
        partial(issue, stores, "b"),
        partial(stores.replays.spend, "jti", "request-1", NOW + 60),
        partial(stores.instances.create, an_instance_document()),
    ):
        with pytest.raises(Unavailable, match="came back empty"):
            await call()
    assert keys_in(mortal) == []
    assert "confirm-empty" in (stores.condition.trouble or "")
    restart(mortal, aside=tmp_path / "data")
    assert await answers(lambda: stores.tokens.get("a")) is not None
    assert stores.condition.trouble is None


async def test_a_restart_with_data_is_no_trouble(mortal: RedisServer, stores: Stores) -> None:
    """After an ordinary crash of Redis nothing has to be confirmed."""
    await issue(stores, "a")
    restart(mortal)
    assert await answers(lambda: stores.tokens.get("a")) is not None
    assert stores.condition.trouble is None


async def test_data_that_vanish_under_live_connections_are_noticed(
    redis: RedisServer, stores: Stores, mortal: RedisServer
) -> None:
    """FLUSHALL ends no connection; the broker looks at the marker once a second."""
    assert redis.port != mortal.port
    await issue(stores, "a")
    mortal.cli("FLUSHALL")
    await until(lambda: stores.condition.trouble is not None)
    with pytest.raises(Unavailable, match="came back empty"):
        await stores.tokens.get("a")


async def test_a_store_made_anew_ends_the_broker_that_had_the_old(
    mortal: RedisServer, stores: Stores
) -> None:
    """A marker with another id cannot be worked with; who waits for that hears it, and until the
    broker is built again every call is refused."""
    replaced = asyncio.create_task(stores.condition.replaced())
    mortal.cli("FLUSHALL")
    await until(lambda: stores.condition.trouble is not None)
    assert not replaced.done()
    second = await open_stores(mortal.url, ROOT)
    async with asyncio.timeout(PATIENCE_SECONDS):
        with pytest.raises(StoreReplaced):
            await replaced
    with pytest.raises(Unavailable, match="made anew"):
        await stores.tokens.get("a")
    await second.close()


async def test_a_subscription_does_not_let_anything_in(mortal: RedisServer) -> None:
    """Cut off from an emptied Redis again and again, no connection of the broker survives at it,
    that of its subscription included."""
    async with slow_proxy(mortal.port) as proxy:
        url = mortal.url.replace(str(mortal.port), str(proxy.port))
        stores = await open_stores(url, ROOT)
        mortal.cli("FLUSHALL")
        proxy.cut()
        for _ in range(20):
            with pytest.raises(Unavailable):
                await stores.tokens.get("a")
            await asyncio.sleep(0.05)
        assert stores.condition.trouble is not None
        assert mortal.cli("PUBSUB", "NUMSUB", "remint:instances").split()[1] == "0"
        await stores.close()


# -- what the operator does ------------------------------------------------------------------------


async def test_only_an_empty_store_can_be_confirmed(mortal: RedisServer, stores: Stores) -> None:
    """A store with its marker is left alone; an empty one is said to be all gone."""
    with pytest.raises(StoreRefused, match="not empty"):
        await loss_of(mortal.url)
    mortal.cli("FLUSHALL")
    assert await loss_of(mortal.url) is Loss.ALL
    assert keys_in(mortal) == []
    await until(lambda: stores.condition.trouble is not None)


# -- a cluster -------------------------------------------------------------------------------------


@pytest.fixture
def cluster() -> Iterator[RedisCluster]:
    with running_cluster(documented_cluster_rules()) as running:
        yield running


def keeper(cluster: RedisCluster) -> RedisServer:
    """The server that holds the store's marker."""
    return next(server for server in cluster.servers if META in keys_in(server))


@pytest.mark.slow
async def test_a_server_of_a_cluster_that_lost_its_share_is_noticed(cluster: RedisCluster) -> None:
    """Whichever server comes back empty: calls are refused, a start is refused, and after the
    operator's word brokers go on with what is left."""
    await load_functions(cluster.administrator_url)
    stores = await open_stores(cluster.url, ROOT)
    other = next(server for server in cluster.servers if server is not keeper(cluster))
    restart(other, empty=True)
    await until(lambda: stores.condition.trouble is not None)
    with pytest.raises(Unavailable, match="server of the store's cluster came back empty"):
        await stores.tokens.get("a")
    await load_functions(cluster.administrator_url)
    with pytest.raises(StoreEmptied, match="confirm-empty"):
        await open_stores(cluster.url, ROOT)
    assert await loss_of(cluster.url) is Loss.PART
    await accept_part(cluster.url)
    assert await answers(lambda: issue(stores, "a")) is None
    await stores.close()


@pytest.mark.slow
async def test_the_rest_of_a_lost_cluster_is_not_mixed_with_a_new_store(
    cluster: RedisCluster,
) -> None:
    """Where the marker is gone and other servers kept their share, nothing can be confirmed until
    all are empty, since what they hold is sealed under the lost key."""
    await load_functions(cluster.administrator_url)
    stores = await open_stores(cluster.url, ROOT)
    lost = keeper(cluster)
    lost.cli("FLUSHALL")
    await until(lambda: stores.condition.trouble is not None)
    with pytest.raises(StoreRefused, match="FLUSHALL"):
        await loss_of(cluster.url)
    cluster.flush()
    assert await loss_of(cluster.url) is Loss.ALL
    await stores.close()


def test_every_server_of_a_cluster_has_a_mark() -> None:
    """However the slots are dealt out in equal rows, each of up to 128 servers has one."""
    slots = sorted(key_slot(mark.encode()) for mark in mark_keys())
    gaps = [after - before for before, after in zip([-1, *slots], [*slots, 16384], strict=True)]
    assert max(gaps) <= 128


# -- cancels that a fail-over lost -----------------------------------------------------------------


@pytest.mark.parametrize("issue_one", [issue, issue_claimed])
async def test_a_lost_cancel_is_made_again_before_anything_is_asked(
    mortal: RedisServer, issue_one: Callable[[Stores, str], Awaitable[None]]
) -> None:
    """When a primary takes over that never heard of a cancel, the first question over the new
    connection already finds the token gone."""
    async with slow_proxy(mortal.port) as proxy:
        url = mortal.url.replace(str(mortal.port), str(proxy.port))
        stores = await open_stores(url, ROOT)
        await issue_one(stores, "a")
        await issue_one(stores, "kept")
        before = {key: dumped(mortal, key) for key in keys_in(mortal) if key != META}
        assert await stores.tokens.cancel("a")
        for key, value in before.items():
            mortal.cli("EVAL", RESTORE, "1", key, value)
        assert await stores.tokens.get("a") is not None  # the loss, as seen without a fail-over
        proxy.cut()
        await asyncio.sleep(0.05)
        assert await stores.tokens.get("a") is None
        assert await stores.tokens.get("kept") is not None
        await stores.close()


@pytest.mark.parametrize("issue_one", [issue, issue_claimed])
async def test_a_cancel_that_is_made_again_is_announced(
    mortal: RedisServer, issue_one: Callable[[Stores, str], Awaitable[None]]
) -> None:
    """The announcement that was lost with the cancel is in the outbox again; of a cancel that was
    not lost, and is out, nothing is."""
    async with slow_proxy(mortal.port) as proxy:
        url = mortal.url.replace(str(mortal.port), str(proxy.port))
        stores = await open_stores(url, ROOT)
        announcements = {name: an_announcement(id=name, alias=name) for name in ("lost", "kept")}
        for name, announcement in announcements.items():
            await issue_one(stores, name)
            before = {key: dumped(mortal, key) for key in keys_in(mortal) if key != META}
            assert await stores.tokens.cancel(name, announcement)
            await stores.outbox.done([announcement])
            if name == "lost":
                for key, value in before.items():
                    mortal.cli("EVAL", RESTORE, "1", key, value)
        proxy.cut()
        await asyncio.sleep(0.05)
        assert await stores.tokens.get("lost") is None
        found = await stores.outbox.due(NOW + 10_000, 5.0, 10)
        assert found == [announcements["lost"]]
        await stores.close()


HEX = (
    "local s=redis.call('DUMP',KEYS[1]); "
    "return (s:gsub('.',function(c) return string.format('%02x',c:byte()) end))"
)
RESTORE = (
    "local s=ARGV[1]:gsub('..',function(h) return string.char(tonumber(h,16)) end); "
    "redis.call('RESTORE',KEYS[1],0,s,'REPLACE')"
)


def dumped(redis: RedisServer, key: str) -> str:
    return redis.cli("EVAL", HEX, "1", key).strip()


@pytest.mark.slow
async def test_no_acknowledged_cancel_is_undone_by_a_fail_over() -> None:
    """Sentinel puts a replica in charge that never got the cancel: the token stays cancelled."""
    with running_sentinels(documented_rules()) as watched:
        await load_functions(watched.administrator_url)
        stores = await open_stores(watched.url, ROOT)
        await issue(stores, "a")
        await issue(stores, "kept")
        watched.primary.wait_replicated(2)
        for replica in watched.replicas:
            os.kill(replica.pid, signal.SIGSTOP)
        watched.primary.cli("CLIENT", "KILL", "TYPE", "replica")
        assert await stores.tokens.cancel("a")
        watched.primary.kill()
        for replica in watched.replicas:
            os.kill(replica.pid, signal.SIGCONT)
        records = [key for key in keys_in(watched.replicas[0]) if key.endswith(":token")]
        assert len(records) == 2, "the replica got the cancel, so this proves nothing"
        assert await answers(lambda: stores.tokens.get("a")) is None
        assert await stores.tokens.get("kept") is not None
        await stores.close()


async def test_cancels_are_remembered_for_a_time_and_in_a_number() -> None:
    """The oldest are forgotten after their time, or when there are too many; the rest is sent in
    parts, oldest first."""
    now = 0.0
    recent = RecentCancels(lambda: now)
    sent: list[list[object]] = []

    async def exchange(commands: object) -> list[object]:
        sent.append(list(commands))  # type: ignore[call-overload] # commands
        return [[] for _ in sent[-1]]

    for number in range(MAX_RECENT + 1):
        with recent.making(("take", number)) as overtaken:
            assert not overtaken()
    now = 1.0
    with recent.making(("take", "last")) as overtaken:
        await recent.repeat(exchange)  # which leaves what is under way alone, and is noticed
        assert overtaken()
        assert sent
        assert ("take", "last") not in sent[-1]
    sent.clear()
    await recent.repeat(exchange)
    flat = [command for part in sent for command in part]
    assert flat == [*(("take", number) for number in range(2, MAX_RECENT + 1)), ("take", "last")]
    assert {len(part) for part in sent} == {CHUNK}
    sent.clear()
    now = 0.5 + RECENT_SECONDS
    await recent.repeat(exchange)
    assert sent == [[("take", "last")]]

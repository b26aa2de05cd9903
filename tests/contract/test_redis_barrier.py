"""With store.wait_replicas a write counts only once so many replicas have it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from unittest.mock import patch

import pytest
from redis.crc import key_slot

from adapters.keys.deployment import Cell
from adapters.stores import Stores, Terms, open_stores
from adapters.stores.redis import load_functions
from adapters.stores.redis_keys import META
from broker.errors import Unavailable
from broker.model import Claim
from broker.testing import NOW, a_claim, an_answer, an_instance_document
from tests.contract.redis_helpers import issue, issue_claimed
from tests.contract.roots import ROOT
from tests.support.ports import free_port
from tests.support.redis_rules import documented_cluster_rules, documented_rules
from tests.support.redis_server import (
    ADMINISTRATOR,
    ADMINISTRATOR_PASSWORD,
    RedisServer,
    a_folder,
    running_redis,
    wait_until,
)

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("redis")]

ONE_REPLICA = Terms(wait_replicas=1)
LOGIN = {"masteruser": ADMINISTRATOR, "masterauth": ADMINISTRATOR_PASSWORD}
PRIMARIES = 3
PATIENCE_SECONDS = 40.0


@contextmanager
def stopped(server: RedisServer) -> Iterator[None]:
    """SIGSTOP, as a machine that hangs; on again afterwards. Meanwhile nobody waits long for it."""
    os.kill(server.pid, signal.SIGSTOP)
    try:
        with patch("adapters.stores.redis_links.WAIT_MILLISECONDS", 100):
            yield
    finally:
        os.kill(server.pid, signal.SIGCONT)


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[RedisServer, RedisServer]]:
    """A primary and its replica."""
    rules = documented_rules()
    with running_redis(rules, repl_diskless_sync_delay="0") as primary:
        place = f"127.0.0.1 {primary.port}"
        with running_redis(rules, replicaof=place, **LOGIN) as replica:
            wait_until(partial(_linked, replica), replica.log)
            primary.empty()
            yield primary, replica


async def test_a_write_that_no_replica_has_is_not_acknowledged(
    pair: tuple[RedisServer, RedisServer],
) -> None:
    """While the replica hangs every kind of write is Unavailable and reads go on; then all is
    well again, and what was asked again has happened once."""
    primary, replica = pair
    stores = await open_stores(primary.url, ROOT, terms=ONE_REPLICA)
    await issue(stores, "a")
    await issue_claimed(stores, "b")
    with stopped(replica):
        for write in (
            issue(stores, "c"),
            issue_claimed(stores, "d"),
            stores.tokens.cancel("a"),
            stores.instances.create(an_instance_document()),
            stores.configuration.swap("x", None, b"1"),
            stores.replays.spend("jti", "request-1", NOW + 60),
        ):
            with pytest.raises(Unavailable, match=r"store\.wait_replicas.*same id"):
                await write
        assert await stores.tokens.get("b") is not None
    wait_until(partial(_linked, replica), replica.log)
    assert await stores.replays.spend("jti", "request-1", NOW + 60)
    assert not await stores.tokens.cancel("a")
    await issue(stores, "e")
    # What expired meanwhile leaves the replica a moment after the primary.
    wait_until(lambda: replica.cli("DBSIZE") == primary.cli("DBSIZE"), replica.log)
    await stores.close()


async def test_nothing_unsafe_is_told_to_who_asks_again(
    pair: tuple[RedisServer, RedisServer],
) -> None:
    """A retry finds a token cancelled or an answer stored, and hears of it only once the replica
    has that too, whichever broker it asks."""
    primary, replica = pair
    first = await open_stores(primary.url, ROOT, terms=ONE_REPLICA)
    second = await open_stores(primary.url, ROOT, terms=ONE_REPLICA)
    for name in ("x", "y"):
        await issue(first, name)
    await issue_claimed(first, "z")
    claim = await first.ledger.claim(a_claim(request_id="late"), NOW, 5.0)
    assert isinstance(claim, Claim)
    commit = partial(first.ledger.commit, claim, None, an_answer(), NOW + 60)
    with stopped(replica):
        for unsafe in (partial(first.tokens.cancel, name) for name in ("x", "z")):
            with pytest.raises(Unavailable):
                await unsafe()
        with pytest.raises(Unavailable):
            await commit()
        for stores in (first, second):
            for ask in (
                partial(stores.tokens.cancel, "x"),
                partial(stores.tokens.get, "x"),
                partial(stores.tokens.get, "z"),
                partial(stores.ledger.fetch, "requester:alice", "late", NOW),
                partial(stores.ledger.claim, a_claim(request_id="late"), NOW, 5.0),
            ):
                with pytest.raises(Unavailable, match="wait_replicas"):
                    await ask()
            assert await stores.tokens.get("y") is not None
    wait_until(partial(_linked, replica), replica.log)
    assert await second.tokens.get("x") is None
    assert await second.ledger.fetch("requester:alice", "late", NOW) == an_answer()
    await first.close()
    await second.close()


async def test_reads_beside_a_write_get_their_replies(
    pair: tuple[RedisServer, RedisServer],
) -> None:
    """In one round trip the write fails and the reads of other callers do not."""
    primary, replica = pair
    stores = await open_stores(primary.url, ROOT, terms=ONE_REPLICA)
    await issue(stores, "read")
    with stopped(replica):
        found = await asyncio.gather(
            stores.tokens.get("read"),
            stores.replays.spend("other", "request-1", NOW + 60),
            stores.tokens.get("read"),
            return_exceptions=True,
        )
    assert [type(each).__name__ for each in found] == ["TokenRecord", "Unavailable", "TokenRecord"]
    await stores.close()


async def test_nobody_waits_where_nobody_asked(pair: tuple[RedisServer, RedisServer]) -> None:
    """Without the setting no WAIT is sent, and a hanging replica is nobody's concern."""
    primary, replica = pair
    primary.cli("CONFIG", "RESETSTAT")
    stores = await open_stores(primary.url, ROOT)
    with stopped(replica):
        await issue(stores, "unheld")
    await stores.close()
    assert "cmdstat_wait" not in primary.cli("INFO", "commandstats")


async def test_a_user_who_may_not_wait_is_refused_at_the_door(
    pair: tuple[RedisServer, RedisServer],
) -> None:
    """Without +wait a broker that must wait does not open the store."""
    primary, _ = pair
    primary.cli("ACL", "SETUSER", "remint", "-wait")
    try:
        with pytest.raises(Unavailable) as raised:
            await open_stores(primary.url, ROOT, terms=ONE_REPLICA)
    finally:
        primary.cli("ACL", "SETUSER", "remint", "+wait")
    assert "wait" in str(raised.value.detail)


# -- a cluster -------------------------------------------------------------------------------------


@contextmanager
def running_replicated_cluster(folder: Path) -> Iterator[list[RedisServer]]:
    """Three primaries with a replica each, in that order."""
    servers = [
        RedisServer(
            folder / f"node-{number}",
            documented_cluster_rules(),
            cluster_enabled="yes",
            cluster_port=str(free_port()),
            cluster_node_timeout="2000",
            repl_diskless_sync_delay="0",
            **LOGIN,
        )
        for number in range(2 * PRIMARIES)
    ]
    with ExitStack() as stack:
        for server in servers:
            stack.callback(server.kill)
            server.start()
        names = [f"127.0.0.1:{server.port}" for server in servers]
        options = ["--cluster-replicas", "1", "--cluster-yes"]
        servers[0].cli("--cluster", "create", *names, *options)
        for server in servers:
            wait_until(partial(_joined, server), server.log)
        for replica in servers[PRIMARIES:]:
            wait_until(partial(_linked, replica), replica.log)
        yield servers


@pytest.fixture(scope="module")
def cluster() -> Iterator[list[RedisServer]]:
    with a_folder() as folder, running_replicated_cluster(folder) as servers:
        yield servers


@contextlib.asynccontextmanager
async def _opened(cluster: list[RedisServer], terms: Terms = ONE_REPLICA):  # type: ignore[no-untyped-def]
    hosts = ",".join(f"127.0.0.1:{server.port}" for server in cluster[:PRIMARIES])
    login = f"{ADMINISTRATOR}:{ADMINISTRATOR_PASSWORD}"
    await load_functions(f"redis+cluster://{login}@{hosts}")
    stores: Stores = await open_stores(
        f"redis+cluster://{cluster[0].login}@{hosts}", ROOT, terms=terms
    )
    try:
        yield stores
    finally:
        await stores.close()


@pytest.mark.slow
async def test_each_server_of_a_cluster_waits_for_its_own_replica(
    cluster: list[RedisServer],
) -> None:
    """Where one primary's replica hangs, just the writes that went to that primary fail."""
    async with _opened(cluster) as stores:
        names = [str(number) for number in range(60)]
        assert await _spent(stores, names, "before") == [True] * len(names)
        with stopped(_replica_of(cluster, _owner(cluster, META))):
            outcomes = await _spent(stores, names, "during")
        refused = [each for each in outcomes if isinstance(each, Unavailable)]
        assert {str(each)[:30] for each in refused} == {"the store has fewer replicas w"}
        assert 5 < len(refused) < 40
        wait_until(partial(_linked, _replica_of(cluster, _owner(cluster, META))), cluster[0].log)
        assert await _spent(stores, names, "during") == [True] * len(names)


@pytest.mark.slow
async def test_a_write_to_a_moved_slot_is_followed_and_held(cluster: list[RedisServer]) -> None:
    """A slot is found while it is on its way and once it has arrived, and the replica of the
    server that then has it is waited for."""
    async with _opened(cluster) as stores:
        assert stores.slots is not None
        known = await stores.slots.read()
        assert known is not None
        slot = key_slot(META.encode())
        keeper = _owner(cluster, META)
        taker = next(server for server in cluster[:PRIMARIES] if server is not keeper)
        keys = keeper.cli("CLUSTER", "GETKEYSINSLOT", str(slot), "10").split()
        login = ("AUTH2", ADMINISTRATOR, ADMINISTRATOR_PASSWORD)
        mine, yours = (_id(server) for server in (keeper, taker))
        taker.cli("CLUSTER", "SETSLOT", str(slot), "IMPORTING", mine)
        keeper.cli("CLUSTER", "SETSLOT", str(slot), "MIGRATING", yours)
        place = ("127.0.0.1", str(taker.port), "", "0", "5000")
        keeper.cli("MIGRATE", *place, *login, "KEYS", *keys)
        assert await stores.slots.read() == known
        assert await stores.slots.swap(known, known)
        with stopped(_replica_of(cluster, taker)):
            await _held(stores.slots, known)
        for server in (taker, keeper):
            server.cli("CLUSTER", "SETSLOT", str(slot), "NODE", yours)
        wait_until(partial(_agreed, cluster, taker), taker.log)
        with stopped(_replica_of(cluster, taker)):
            await _held(stores.slots, known)
        assert await stores.slots.swap(known, known)


@pytest.mark.slow
async def test_a_fail_over_in_a_cluster_is_followed(cluster: list[RedisServer]) -> None:
    """When a primary is gone and its replica has taken over, the same stores write there."""
    async with _opened(cluster, Terms()) as stores:
        names = [str(number) for number in range(30)]
        assert await _spent(stores, names, "first") == [True] * len(names)
        owner = _owner(cluster, META)
        wait_until(partial(_agreed, cluster, owner), owner.log)
        owner.wait_replicated()
        owner.kill()
        assert await _spent(stores, names, "then") != [True] * len(names)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                if await _spent(stores, names, "then") == [True] * len(names):
                    break
                await asyncio.sleep(0.05)


async def _held(cell: Cell, value: bytes) -> None:
    """A write is refused for want of replicas, and never succeeds; a busy machine may first be too
    slow to be reached at all."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            with pytest.raises(Unavailable) as refused:
                await cell.swap(value, value)
            if "wait_replicas" in str(refused.value):
                return


async def _spent(stores: Stores, names: list[str], prefix: str) -> list[object]:
    """One write for each name, spread over the slots; all at once."""
    return await asyncio.gather(
        *(stores.replays.spend(f"{prefix} {name}", "request", NOW + 60) for name in names),
        return_exceptions=True,
    )


def _joined(server: RedisServer) -> bool:
    return "cluster_state:ok" in server.cli("CLUSTER", "INFO")


def _linked(replica: RedisServer) -> bool:
    return "master_link_status:up" in replica.cli("INFO", "replication")


def _id(server: RedisServer) -> str:
    return server.cli("CLUSTER", "MYID").strip()


def _agreed(cluster: list[RedisServer], owner: RedisServer) -> bool:
    """Every server has heard who holds META. A replica that has not could not take its primary's
    place: the others would not vote for it, or it would leave the slot out."""
    return all(_owner(cluster, META, by=server) is owner for server in cluster)


def _owner(cluster: list[RedisServer], key: str, by: RedisServer | None = None) -> RedisServer:
    """The primary that holds a key, as one of the servers knows it."""
    slot = key_slot(key.encode())
    for line in (by or cluster[0]).cli("CLUSTER", "NODES").splitlines():
        words = line.split()
        ranges = [each.split("-") for each in words[8:] if not each.startswith("[")]
        if any(int(each[0]) <= slot <= int(each[-1]) for each in ranges):
            port = int(words[1].partition("@")[0].rpartition(":")[2])
            return next(server for server in cluster if server.port == port)
    raise LookupError(slot)


def _replica_of(cluster: list[RedisServer], primary: RedisServer) -> RedisServer:
    place = f"master_port:{primary.port}"
    return next(server for server in cluster if place in server.cli("INFO", "replication"))

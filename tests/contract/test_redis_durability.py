"""What a store is worth is found out, said in sentences, and refused where more is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import ResponseError

from adapters.stores import Stores, StoreTooWeak, Terms, open_stores
from adapters.stores.condition import Durability
from adapters.stores.redis import load_functions
from adapters.stores.redis_durability import SHOWN, durability_of
from adapters.stores.redis_links import ServerLink
from tests.contract.roots import ROOT
from tests.support.door import opened
from tests.support.planted import Planted
from tests.support.redis_groups import running_cluster
from tests.support.redis_rules import documented_cluster_rules, documented_rules
from tests.support.redis_server import (
    ADMINISTRATOR,
    ADMINISTRATOR_PASSWORD,
    RedisServer,
    running_redis,
    wait_until,
)

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("redis")]

DURABLE = Terms(require_durable=True)

WEAK = [
    ({"appendonly": "no"}, "appendonly is no"),
    ({"appendfsync": "everysec"}, "appendfsync is everysec"),
    ({"appendfsync": "no"}, "appendfsync is no"),
    (
        {"maxmemory-policy": "allkeys-lru", "maxmemory": "1gb"},
        "maxmemory-policy is allkeys-lru",
    ),
]


@contextmanager
def configured(redis: RedisServer, settings: dict[str, str]) -> Iterator[None]:
    """Other settings for a while."""
    before = {name: redis.cli("CONFIG", "GET", name).splitlines()[1] for name in settings}
    for name, value in settings.items():
        redis.cli("CONFIG", "SET", name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            redis.cli("CONFIG", "SET", name, value)
        wait_until(lambda: "aof_rewrite_in_progress:0" in redis.cli("INFO"), redis.log)


async def found(redis: RedisServer, **terms: Any) -> Durability:
    """What a broker that opens the store sees, as the documented user."""
    stores = await open_stores(redis.url, ROOT, terms=Terms(**terms))
    await stores.close()
    return stores.condition.durability


@pytest.fixture
async def noted(redis: RedisServer) -> RedisServer:
    """An administrator has loaded the functions, and so noted what the broker may not ask."""
    await load_functions(redis.administrator_url)
    return redis


async def test_a_sound_server_is_durable(noted: RedisServer) -> None:
    """AOF, fsync always, no eviction: durable, with every fact known, and no sentence."""
    durability = await found(noted, require_durable=True)
    assert durability.durable
    assert durability.sentences == ()
    assert durability.settings.keys() == {*SHOWN, "noted_at"}
    assert "unknown" not in durability.settings.values()


@pytest.mark.parametrize(("settings", "sentence"), WEAK, ids=lambda value: str(value)[:40])
async def test_each_weakness_is_said_and_refused(
    redis: RedisServer, settings: dict[str, str], sentence: str
) -> None:
    """Each weak setting alone is named with its remedy, and refused where durability is asked."""
    with configured(redis, settings):
        await load_functions(redis.administrator_url)
        durability = await found(redis)
        assert [weakness for weakness in durability.weaknesses if sentence in weakness]
        assert len(durability.sentences) == 1
        with pytest.raises(StoreTooWeak, match=sentence):
            await open_stores(redis.url, ROOT, terms=DURABLE)


async def test_a_refused_store_is_left_as_it_was(redis: RedisServer) -> None:
    """A broker that refuses a weak store has not written to it."""
    with (
        configured(redis, {"appendonly": "no"}),
        pytest.raises(StoreTooWeak),
    ):
        await open_stores(redis.url, ROOT, terms=DURABLE)
    assert redis.cli("DBSIZE").strip() == "0"


async def test_what_nobody_noted_is_unknown_and_refused(redis: RedisServer) -> None:
    """Without the administrator's note appendfsync is unknown, which is not good enough."""
    durability = await found(redis)
    assert durability.settings["appendfsync"] == "unknown"
    with pytest.raises(StoreTooWeak, match="remint store load-functions"):
        await open_stores(redis.url, ROOT, terms=DURABLE)


async def test_a_user_who_may_ask_needs_no_note(redis: RedisServer) -> None:
    """An unrestricted user sees everything by itself."""
    stores = await open_stores(redis.administrator_url, ROOT, terms=DURABLE)
    await stores.close()
    assert "noted_at" not in stores.condition.durability.settings


async def test_a_user_who_may_not_ask_hears_which_right_it_lacks(redis: RedisServer) -> None:
    """Without +info nothing is known; the broker works, says so, and is refused on demand."""
    redis.cli("ACL", "SETUSER", "remint", "-info")
    try:
        durability = await found(redis)
        with pytest.raises(StoreTooWeak, match=r"\+info"):
            await open_stores(redis.url, ROOT, terms=DURABLE)
    finally:
        redis.cli("ACL", "SETUSER", "remint", "+info")
    assert set(durability.settings.values()) == {"unknown"}


async def test_eviction_without_a_limit_is_no_weakness(noted: RedisServer) -> None:
    """A policy that evicts does nothing as long as memory is not limited."""
    with configured(noted, {"maxmemory-policy": "allkeys-lru", "maxmemory": "0"}):
        assert (await found(noted, require_durable=True)).sentences == ()


async def test_replicas_without_a_quorum_are_warned_of() -> None:
    """With replicas, min-replicas-to-write 0 is a warning; too few for wait_replicas another."""
    secrets = {"masteruser": ADMINISTRATOR, "masterauth": ADMINISTRATOR_PASSWORD}
    with running_redis(documented_rules(), repl_diskless_sync_delay="0") as primary:
        place = f"127.0.0.1 {primary.port}"
        with running_redis(documented_rules(), replicaof=place, **secrets) as replica:
            wait_until(lambda: "link_status:up" in replica.cli("INFO"), replica.log)
            await load_functions(primary.administrator_url)
            durability = await found(primary)
            assert durability.durable
            (warning,) = durability.warnings
            assert "set min-replicas-to-write 1" in warning
            assert durability.settings["connected_replicas"] == "1"
            primary.cli("CONFIG", "SET", "min-replicas-to-write", "1")
            wait_until(lambda: "good_slaves:1" in primary.cli("INFO"), primary.log)
            durability = await found(primary, wait_replicas=1)
            assert durability.sentences == ()
            assert durability.settings["min-replicas-to-write"] == "1 or more"
            await load_functions(primary.administrator_url)
            assert (await found(primary)).settings["min-replicas-to-write"] == "1"
        wait_until(lambda: "connected_slaves:0" in primary.cli("INFO"), primary.log)
        primary.cli("CONFIG", "SET", "min-replicas-to-write", "0")
        (warning,) = (await found(primary, wait_replicas=1)).warnings
        assert "0 replicas are connected" in warning


async def test_the_facts_are_refreshed_while_the_broker_runs(
    noted: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A setting that an operator weakens is seen without a restart."""
    monkeypatch.setattr("adapters.stores.redis_watch.LOOK_SECONDS", 0.02)
    monkeypatch.setattr("adapters.stores.redis_watch.DURABILITY_SECONDS", 0.0)
    stores = await open_stores(noted.url, ROOT)
    assert stores.condition.durability.durable
    with configured(noted, {"appendonly": "no"}):
        async with asyncio.timeout(5.0):
            while True:
                if not stores.condition.durability.durable:
                    break
                await asyncio.sleep(0.02)
        assert stores.condition.durability.settings["appendonly"] == "no"
    await stores.close()


# -- what a server says that cannot be brought about here -----------------------------------------


class Told(ServerLink):
    """Servers that say what the test wants; a user who may not ask for more."""

    def __init__(self, *servers: bytes) -> None:
        self._servers = servers

    async def everywhere(self, *command: Any) -> list[Any]:
        if command[0] == "CONFIG":
            raise ResponseError("NOPERM")
        return list(self._servers)

    async def run(self, commands: Any) -> list[Any]:
        return [b'{"appendfsync": "always"}' for _ in commands]


SOUND = (
    b"aof_enabled:1\r\naof_last_write_status:ok\r\nrdb_last_bgsave_status:ok\r\nmaxmemory:0\r\n"
    b"maxmemory_policy:noeviction\r\nrole:master\r\nconnected_slaves:0\r\n"
)


@pytest.mark.parametrize(
    ("said", "instead", "sentence", "durable"),
    [
        (b"write_status:ok", b"write_status:err", "aof_last_write_status", False),
        (b"bgsave_status:ok", b"bgsave_status:err", "rdb_last_bgsave_status", True),
        (b"role:master", b"role:slave", "the server is a replica", True),
    ],
)
async def test_failures_that_a_server_reports_are_said(
    said: bytes, instead: bytes, sentence: str, durable: bool
) -> None:
    """What failed on one of several servers is said, and shown as the weakest of all."""
    assert (await durability_of(Told(SOUND))).sentences == ()
    durability = await durability_of(Told(SOUND, SOUND.replace(said, instead), SOUND))
    assert len(durability.sentences) == 1
    assert sentence in durability.sentences[0]
    assert durability.durable is durable
    weak = instead.partition(b":")[2].decode()
    assert weak in durability.settings.values()


# -- other stores ----------------------------------------------------------------------------------


async def test_memory_is_not_durable_and_a_file_is(tmp_path: Path) -> None:
    """memory:// is refused where durability is asked for; SQLite syncs every commit."""
    with pytest.raises(StoreTooWeak, match="memory://"):
        await open_stores("memory://", ROOT, terms=DURABLE)
    stores = await open_stores(f"sqlite:///{tmp_path}/remint.db", ROOT, terms=DURABLE)
    assert stores.condition.durability.settings == {"journal_mode": "wal", "synchronous": "full"}
    await stores.close()


async def test_only_a_redis_has_replicas(tmp_path: Path) -> None:
    """Replicas to wait for are refused for a store that can have none."""
    for url in ("memory://", f"sqlite:///{tmp_path}/remint.db"):
        with pytest.raises(StoreTooWeak, match=r"store\.wait_replicas"):
            await open_stores(url, ROOT, terms=Terms(wait_replicas=1))


async def test_readyz_shows_what_the_store_is_worth(
    redis: RedisServer, tmp_path: Path, planted: Planted
) -> None:
    """The report has facts and sentences, and neither address nor password."""
    async with opened(tmp_path, planted, store={"url": redis.url}) as door:
        answer = await door.request("GET", "/readyz")
    store = answer.body["store"]
    assert (answer.status, store["durable"]) == (200, False)
    assert store["settings"]["appendonly"] == "yes"
    assert any("load-functions" in warning for warning in store["warnings"])
    assert str(redis.port) not in answer.text
    assert "password" not in answer.text


@pytest.fixture
async def cluster_stores() -> AsyncIterator[Stores]:
    with running_cluster(documented_cluster_rules()) as cluster:
        cluster.servers[1].cli("CONFIG", "SET", "appendfsync", "everysec")
        cluster.servers[2].cli("CONFIG", "SET", "maxmemory", "1gb")
        cluster.servers[2].cli("CONFIG", "SET", "maxmemory-policy", "volatile-ttl")
        await load_functions(cluster.administrator_url)
        stores = await open_stores(cluster.url, ROOT)
        yield stores
        await stores.close()


@pytest.mark.slow
async def test_the_weakest_server_of_a_cluster_counts(cluster_stores: Stores) -> None:
    """One server that syncs every second and one that evicts are both said and shown."""
    durability = cluster_stores.condition.durability
    assert [text.partition(":")[0] for text in durability.weaknesses] == [
        "appendfsync is everysec",
        "maxmemory-policy is volatile-ttl",
    ]
    assert durability.settings["appendfsync"] == "everysec"
    assert durability.settings["maxmemory-policy"] == "volatile-ttl"

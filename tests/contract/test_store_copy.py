"""``remint store copy``: what one store knew, the other one knows; nothing is lost on the way."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.stores import open_stores
from adapters.stores.copy_marks import CopyRefused, CopyUnfinished
from adapters.stores.redis import load_functions
from broker.model import Secret
from broker.testing import NOW
from tests.contract.redis_helpers import issue, issue_claimed, keys_in
from tests.contract.roots import ROOT
from tests.contract.store_copy_helpers import (
    Meddler,
    copied,
    fill,
    fill_by_an_earlier_version,
    interrupted,
    must_know_all,
    must_know_requests,
    must_know_tokens,
)
from tests.support.redis_groups import running_cluster, running_sentinels
from tests.support.redis_rules import documented_cluster_rules, documented_rules
from tests.support.redis_server import RedisServer, running_redis

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("redis")]

KINDS = ["configuration", "instances", "users", "factors", "tokens", "requests", "sessions"]
KINDS += ["spent tokens", "announcements"]
FOR_EVER = ("{store}:", "{instances}:", ":users", ":factors")


@pytest.fixture
def file(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/from/remint.db"


@pytest.fixture(scope="module")
def _another() -> Iterator[RedisServer]:
    with running_redis(documented_rules()) as running:
        yield running


@pytest.fixture
def another(_another: RedisServer) -> RedisServer:
    """A second Redis, empty, with the functions loaded."""
    _another.empty()
    return _another


# -- the main road -------------------------------------------------------------------------------


async def test_everything_moves_from_sqlite_to_redis(file: str, redis: RedisServer) -> None:
    """Each kind is there afterwards, and behaves through the ports as if it had always been."""
    await fill(file)
    report = await copied(file, redis.url)
    assert report.complete
    assert [(kind.name, kind.in_source) for kind in report.kinds] == list(
        zip(KINDS, [2, 2, 3, 2, 5, 7, 2, 1, 3], strict=True)
    )
    assert all(kind.in_target == kind.written == kind.in_source for kind in report.kinds)
    stores = await open_stores(redis.url, ROOT)
    await must_know_all(stores)
    await stores.close()


async def test_the_copy_is_a_store_of_its_own(file: str, redis: RedisServer) -> None:
    """It has the deployment key of the first store, the same slots, and an id of its own."""
    await fill(file)
    await copied(file, redis.url)
    first, second = await open_stores(file, ROOT), await open_stores(redis.url, ROOT)
    assert first.deployment.store_id != second.deployment.store_id
    purpose = "fingerprint"
    assert first.deployment.key.derive(purpose) == second.deployment.key.derive(purpose)
    await first.close()
    await second.close()


async def test_what_passes_has_a_time_to_live(file: str, redis: RedisServer) -> None:
    """Only the marker, users, their factors, instances and configuration stay in Redis for ever."""
    await fill(file)
    await copied(file, redis.url)
    keys = keys_in(redis)
    passing = [key for key in keys if not any(kept in key for kept in FOR_EVER)]
    assert len(passing) > 20
    times = [int(redis.cli("TTL", key)) for key in passing]
    assert all(86_000 < seconds < 86_400 * 10 for seconds in times)


async def test_a_token_is_found_by_all_brokers_that_come(file: str, redis: RedisServer) -> None:
    """Sessions that are used after the copy, and tokens that are issued, are as any others."""
    await fill(file)
    await copied(file, redis.url)
    stores = await open_stores(redis.url, ROOT)
    await stores.sessions.touch(Secret("session-1"), NOW + 200)
    session = await stores.sessions.get(Secret("session-1"))
    assert session is not None
    assert session.last_access_at == NOW + 200
    assert await stores.sessions.end(Secret("session-1"))
    await issue_claimed(stores, "after")
    assert await stores.tokens.get("after") is not None
    await stores.close()


async def test_every_table_is_thought_of(tmp_path: Path) -> None:
    """A table that SQLite gets is copied to Redis too, or stands here as one that stays."""
    stays = {"meta", "quotas", "journal", "attempts"}
    await fill(f"sqlite:///{tmp_path}/remint.db")
    with sqlite3.connect(tmp_path / "remint.db") as connection:
        rows = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
    connection.close()
    assert {name for (name,) in rows} - stays == {
        *("configuration", "instances", "replays", "requests"),
        *("sessions", "spent_tags", "tokens", "users", "factors", "outbox"),
    }


# -- what cannot move ----------------------------------------------------------------------------


async def test_what_an_earlier_version_wrote_is_named(file: str, redis: RedisServer) -> None:
    """Sessions without Redis's digest stay behind; spent tokens without it are never dropped
    silently: they hold the copy up until they end, or until the operator says so."""
    now = int(time.time())
    await fill_by_an_earlier_version(file, now)
    end = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now + 3600))
    with pytest.raises(CopyRefused, match=f"1 one-time tokens.*{end}.*--leave-behind"):
        await copied(file, redis.url)
    report = await copied(file, redis.url, leave_behind=True)
    assert report.complete
    assert (report.left_behind.sessions, report.left_behind.spent) == (1, 1)
    stores = await open_stores(redis.url, ROOT)
    assert await stores.sessions.get(Secret("old")) is None
    assert await stores.sessions.get(Secret("used")) is not None
    assert not await stores.replays.spend("new", "request-2", now + 3600)
    await stores.close()


async def test_a_worker_of_the_version_before_goes_on_in_the_file(file: str) -> None:
    """The statements of schema version 1 still work once the file has been brought to version 2."""
    await fill(file)
    with sqlite3.connect(file.removeprefix("sqlite:///")) as connection:
        connection.execute("INSERT INTO replays VALUES (?, ?, ?)", (b"d" * 32, "owner", 1.5))
        connection.execute("DELETE FROM replays")
        (tags,) = connection.execute("SELECT count(*) FROM spent_tags").fetchone()
    connection.close()
    assert tags == 0


# -- other roads ---------------------------------------------------------------------------------


async def test_everything_moves_from_redis_to_redis(
    redis: RedisServer, another: RedisServer
) -> None:
    """With the broker's rights on both sides: nothing is looked for by SCAN or KEYS."""
    await fill(redis.url)
    report = await copied(redis.url, another.url)
    assert report.complete
    assert [kind.in_target for kind in report.kinds] == [2, 2, 3, 2, 5, 7, 2, 1, 3]
    stores = await open_stores(another.url, ROOT)
    await must_know_all(stores)
    await stores.close()
    untouched = await open_stores(redis.url, ROOT)
    await must_know_all(untouched)
    await untouched.close()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["cluster", "sentinel"])
async def test_everything_moves_to_a_group_and_on(redis: RedisServer, kind: str) -> None:
    """From one Redis to a cluster, and behind Sentinel; and from there into one Redis again."""
    running = (
        running_cluster(documented_cluster_rules())
        if kind == "cluster"
        else running_sentinels(documented_rules())
    )
    await fill(redis.url)
    with running as group:
        await load_functions(group.administrator_url)
        assert (await copied(redis.url, group.url)).complete
        redis.empty()
        assert (await copied(group.url, redis.url)).complete
        for url in (group.url, redis.url):
            stores = await open_stores(url, ROOT)
            await must_know_all(stores)
            await stores.close()


async def test_everything_moves_from_file_to_file(file: str, tmp_path: Path) -> None:
    """Every row of every table moves, and sessions of earlier versions with them."""
    await fill(file)
    await fill_by_an_earlier_version(file, int(time.time()))
    target = f"sqlite:///{tmp_path}/to/remint.db"
    with pytest.raises(KeyboardInterrupt):
        await copied(file, target, progress=interrupted)
    with pytest.raises(CopyUnfinished):
        await open_stores(target, ROOT)
    stores = await open_stores(file, ROOT)
    await stores.replays.spend("one-time", "request-1", NOW + 100)
    await stores.tokens.cancel("gone")
    await issue(stores, "gone")
    await stores.close()
    report = await copied(file, target)
    assert report.complete
    stores = await open_stores(target, ROOT)
    assert await stores.sessions.get(Secret("old")) is not None
    assert not await stores.replays.spend("old", "request-2", NOW)
    await stores.replays.reap(NOW + 99)
    assert not await stores.replays.spend("one-time", "request-2", NOW)
    await must_know_tokens(stores)
    await must_know_requests(stores)
    await stores.close()


async def test_a_changed_file_is_noticed_between_files(file: str, tmp_path: Path) -> None:
    """The same promise as with Redis: not complete, not opened."""
    await fill(file)
    target = f"sqlite:///{tmp_path}/to.db"

    def meddle() -> None:
        with sqlite3.connect(file.removeprefix("sqlite:///")) as connection:
            connection.execute("DELETE FROM tokens WHERE alias = 'plain'")
        connection.close()

    report = await copied(file, target, progress=Meddler("users", "copy", meddle))
    assert (report.complete, report.source_changed) == (False, True)
    report = await copied(file, target)
    assert report.complete
    (tokens,) = (kind for kind in report.kinds if kind.name == "tokens")
    assert (tokens.in_target, tokens.removed) == (4, 1)


async def test_a_redis_that_is_written_to_is_noticed(
    redis: RedisServer, another: RedisServer
) -> None:
    """What a broker on FROM writes after it was copied is found when the two are compared."""
    await fill(redis.url)

    def meddle() -> None:
        (session, *_) = (key for key in keys_in(redis) if key.endswith(":session"))
        redis.cli("DEL", session)

    report = await copied(redis.url, another.url, progress=Meddler("sessions", "copy", meddle))
    assert (report.complete, report.source_changed) == (False, True)
    report = await copied(redis.url, another.url)
    assert report.complete
    (sessions,) = (kind for kind in report.kinds if kind.name == "sessions")
    assert (sessions.in_target, sessions.removed) == (1, 1)

"""A copy that is broken off, disturbed or refused: it never opens a store that is not whole."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from adapters.stores import ForeignStore, open_stores
from adapters.stores.copy_marks import CopyRefused, CopyUnfinished
from adapters.stores.copying import Report, copy
from adapters.stores.redis_keys import META
from broker.testing import NOW, an_announcement, an_instance_document
from tests.contract.redis_helpers import issue, keys_in
from tests.contract.roots import OTHER_ROOT, ROOT
from tests.contract.store_copy_helpers import (
    Meddler,
    copied,
    fill,
    interrupted,
    must_know_requests,
)
from tests.project.source import ROOT as CHECKOUT
from tests.support.redis_server import RedisServer

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("redis")]


@pytest.fixture
def file(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/from/remint.db"


async def issue_many(url: str, count: int) -> None:
    stores = await open_stores(url, ROOT)
    for start in range(0, count, 500):
        await asyncio.gather(*(issue(stores, f"t-{n:05}") for n in range(start, start + 500)))
    await stores.close()


def command(source: str, target: str, state: Path) -> subprocess.Popen[str]:
    """The command as a process of its own."""
    variables = {k: v for k, v in os.environ.items() if not k.startswith("REMINT_")}
    root = {"REMINT_KEYS__ROOT_SECRET": bytes(range(32)).hex(), "REMINT_STATE_DIR": str(state)}
    return subprocess.Popen(
        [sys.executable, "-m", "adapters.cli", "store", "copy", source, target],
        cwd=CHECKOUT,
        env={**variables, **root},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


async def test_a_killed_copy_is_finished_by_running_it_again(
    file: str, redis: RedisServer, tmp_path: Path
) -> None:
    """SIGKILL in the middle leaves a store that no broker opens; the next run completes it."""
    await fill(file)
    await issue_many(file, 5000)
    killed = command(file, redis.url, tmp_path / "state")
    until = time.monotonic() + 30
    while int(redis.cli("DBSIZE")) < 1000:
        assert killed.poll() is None
        assert time.monotonic() < until
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    there = sum(key.endswith(":token") for key in keys_in(redis))
    assert 0 < there < 5000
    with pytest.raises(CopyUnfinished, match="not finished"):
        await open_stores(redis.url, ROOT)
    report = await copied(file, redis.url)
    assert report.complete
    (tokens,) = (kind for kind in report.kinds if kind.name == "tokens")
    assert (tokens.in_target, tokens.removed) == (5005, 0)
    assert 0 < tokens.written <= 5005 - there
    stores = await open_stores(redis.url, ROOT)
    assert await stores.tokens.get("t-04999") is not None
    await must_know_requests(stores)
    await stores.close()


async def test_a_source_that_is_written_to_is_noticed(file: str, redis: RedisServer) -> None:
    """The copy is then not complete and opened to nobody; run again, it catches up with changes,
    additions and removals."""
    await fill(file)
    path = file.removeprefix("sqlite:///")

    def meddle() -> None:
        connection = sqlite3.connect(path)
        connection.execute("DELETE FROM tokens WHERE alias = 'plain'")
        connection.execute("UPDATE sessions SET last_access_at = last_access_at + 70")
        connection.execute("DELETE FROM requests WHERE request_id = 'refused'")
        connection.execute("DELETE FROM replays")
        connection.execute("DELETE FROM outbox WHERE due_at = (SELECT min(due_at) FROM outbox)")
        connection.execute("UPDATE users SET active = 0 WHERE name = 'alice'")
        connection.execute("DELETE FROM users WHERE name = 'dora'")
        connection.execute("UPDATE instances SET folded = 'x', id = 'X' WHERE id = 'demo'")
        connection.execute("DELETE FROM instances WHERE id = 'X'")
        connection.execute("DELETE FROM configuration WHERE name = 'realms'")
        connection.commit()
        connection.close()

    report = await copied(file, redis.url, progress=Meddler("announcements", "copy", meddle))
    assert (report.complete, report.source_changed) == (False, True)
    with pytest.raises(CopyUnfinished):
        await open_stores(redis.url, ROOT)
    stores = await open_stores(file, ROOT)
    await issue(stores, "new")
    await stores.instances.create(an_instance_document(id="DEMO"), an_announcement(id="new"))
    await stores.close()
    report = await copied(file, redis.url)
    assert report.complete
    assert {kind.name: (kind.written, kind.removed) for kind in report.kinds} == {
        "configuration": (0, 1),
        "instances": (1, 1),
        "users": (1, 1),
        "factors": (0, 0),
        "tokens": (1, 1),
        "requests": (0, 1),
        "sessions": (2, 0),
        "spent tokens": (0, 1),
        "announcements": (1, 1),
    }
    stores = await open_stores(redis.url, ROOT)
    assert await stores.tokens.get("plain") is None
    assert await stores.tokens.get("new") is not None
    alice = await stores.users.get("/", "alice")
    assert alice is not None
    assert not alice.active
    assert await stores.replays.spend("one-time", "request-2", NOW + 60)
    await stores.close()


async def test_a_write_that_changes_nothing_that_is_copied_is_noticed(
    file: str, redis: RedisServer
) -> None:
    """Whoever writes to FROM meanwhile, even what is compared by then, leaves the copy unopened."""
    await fill(file)

    def meddle() -> None:
        with sqlite3.connect(file.removeprefix("sqlite:///")) as connection:
            connection.execute("INSERT INTO quotas VALUES ('requester:alice', 1, 1)")
        connection.close()

    report = await copied(file, redis.url, progress=Meddler("announcements", "compare", meddle))
    assert all(kind.agrees for kind in report.kinds)
    assert (report.complete, report.source_changed) == (False, True)


def _kind(key: str) -> str:
    """Without the digest that tells announcements of one slot apart."""
    return key.rpartition(":")[2].partition("-")[0]


@pytest.mark.parametrize("end", ["token", "session", "request", "spent", "users", "event"])
async def test_what_did_not_arrive_is_noticed(file: str, redis: RedisServer, end: str) -> None:
    """A target that lacks one thing at the end differs, and the next run puts it there."""
    await fill(file)

    def meddle() -> None:
        redis.cli("DEL", next(key for key in keys_in(redis) if _kind(key) == end))

    report = await copied(file, redis.url, progress=Meddler("announcements", "copy", meddle))
    assert (report.complete, report.source_changed) == (False, False)
    assert [kind.agrees for kind in report.kinds].count(False) == 1
    assert (await copied(file, redis.url)).complete


async def test_of_two_runs_the_later_one_goes_on(file: str, redis: RedisServer) -> None:
    """The earlier one stops at its next step and writes nothing any more."""
    await fill(file)
    await issue_many(file, 5000)
    later: list[asyncio.Task[Report]] = []

    def begin_another() -> None:
        later.append(asyncio.create_task(copied(file, redis.url)))

    with pytest.raises(CopyRefused, match="took this one over"):
        await copied(file, redis.url, progress=Meddler("users", "copy", begin_another))
    assert (await later[0]).complete


# -- refused -------------------------------------------------------------------------------------


async def test_another_root_secret_copies_nothing(file: str, redis: RedisServer) -> None:
    """Without the wrapping key of FROM the copy ends before anything is in TO."""
    await fill(file)
    with pytest.raises(ForeignStore):
        await copy(file, redis.url, [OTHER_ROOT], realms=["/"])
    assert keys_in(redis) == []


async def test_a_store_is_never_written_over(file: str, redis: RedisServer) -> None:
    """A TO that is a store, or has the remains of one, is refused and left as it is."""
    await fill(file)
    stores = await open_stores(redis.url, ROOT)
    await issue(stores, "theirs")
    await stores.close()
    before = sorted(keys_in(redis))
    with pytest.raises(CopyRefused, match="there is a store in TO already"):
        await copied(file, redis.url)
    assert sorted(keys_in(redis)) == before
    redis.cli("DEL", META)
    with pytest.raises(CopyRefused, match="there is a store in TO already"):
        await copied(file, redis.url)
    assert sorted({*keys_in(redis), META}) == before


async def test_a_finished_copy_is_a_store_like_any_other(file: str, redis: RedisServer) -> None:
    """It is not copied into again, since brokers may have written to it."""
    await fill(file)
    assert (await copied(file, redis.url)).complete
    with pytest.raises(CopyRefused, match="there is a store in TO already"):
        await copied(file, redis.url)


async def test_the_unfinished_copy_of_another_store_is_refused(
    file: str, redis: RedisServer, tmp_path: Path
) -> None:
    """Only the same FROM may go on with a copy."""
    await fill(file)
    with pytest.raises(KeyboardInterrupt):
        await copied(file, redis.url, progress=interrupted)
    other = f"sqlite:///{tmp_path}/other.db"
    await fill(other)
    with pytest.raises(CopyRefused, match="copy of another store"):
        await copied(other, redis.url)
    assert (await copied(file, redis.url)).complete


async def test_a_copy_that_ended_before_its_first_record_goes_on(
    file: str, redis: RedisServer
) -> None:
    """Also if it got no further than the mark: the store then gets the id that the mark names."""
    await fill(file)
    with pytest.raises(KeyboardInterrupt):
        await copied(file, redis.url, progress=interrupted)
    redis.cli("HDEL", META, "deployment", "schema")
    assert (await copied(file, redis.url)).complete
    stores = await open_stores(redis.url, ROOT)
    await must_know_requests(stores)
    await stores.close()


async def test_a_broker_that_came_in_between_is_not_written_over(
    file: str, redis: RedisServer
) -> None:
    """A key that a broker made in TO meanwhile stays: the copy is refused, and so is the broker."""
    await fill(file)
    with pytest.raises(KeyboardInterrupt):
        await copied(file, redis.url, progress=interrupted)
    redis.cli("HDEL", META, "deployment")
    with pytest.raises(CopyUnfinished):
        await open_stores(redis.url, OTHER_ROOT)
    theirs = redis.cli("HGET", META, "deployment")
    with pytest.raises(CopyRefused, match="a broker made a store of its own"):
        await copied(file, redis.url)
    assert redis.cli("HGET", META, "deployment") == theirs


async def test_a_store_is_not_copied_into_itself(
    file: str, redis: RedisServer, tmp_path: Path
) -> None:
    """However its URLs are written."""
    await fill(file)
    await fill(redis.url)
    (tmp_path / "link").symlink_to(tmp_path / "from")
    for source, target in (
        (file, file),
        (file, f"sqlite:///{tmp_path}/link/remint.db"),
        (redis.url, f"unix://{redis.login}@{redis.socket}"),
    ):
        with pytest.raises(CopyRefused, match="FROM and TO are the same store"):
            await copied(source, target)


async def test_roads_that_lead_nowhere_are_refused(
    file: str, redis: RedisServer, tmp_path: Path
) -> None:
    """Memory, a FROM that is no store, and Redis to SQLite each have a sentence of their own."""
    with pytest.raises(CopyRefused, match="memory://"):
        await copied("memory://", redis.url)
    with pytest.raises(CopyRefused, match="remint export"):
        await copied(redis.url, file)
    with pytest.raises(CopyRefused, match="no store of Remint in FROM"):
        await copied(file, redis.url)
    with pytest.raises(CopyRefused, match="no store of Remint in FROM"):
        await copied(redis.url, f"unix://{redis.login}@{redis.socket}")
    assert os.listdir(tmp_path) == []
    assert keys_in(redis) == []

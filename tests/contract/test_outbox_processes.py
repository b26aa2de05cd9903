"""A broker that is killed takes no announcement with it: another finds it, and only true ones."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from adapters.stores import Stores, open_stores
from adapters.stores.redis import load_functions
from broker.model import Announcement
from broker.ports import TokenQuery
from broker.testing import NOW
from tests.contract.roots import ROOT
from tests.support.redis_groups import RedisCluster, running_cluster
from tests.support.redis_rules import documented_cluster_rules
from tests.support.redis_server import RedisServer
from tests.support.store_worker import Worker

REPOSITORY = Path(__file__).parents[2]
NEEDS_REDIS = (pytest.mark.server, pytest.mark.xdist_group("redis"))
NEEDS_A_CLUSTER = (pytest.mark.server, pytest.mark.slow, pytest.mark.xdist_group("redis-groups"))
REPORTS_BEFORE_THE_KILL = 300
VERY_LATE = NOW + 10_000.0
PAGE = 1000

Start = Callable[[], Awaitable[Worker]]


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("redis", marks=NEEDS_REDIS),
        pytest.param("cluster", marks=NEEDS_A_CLUSTER),
    ]
)
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of an empty store."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/remint.db"
    if request.param == "redis":
        redis: RedisServer = request.getfixturevalue("redis")
        return redis.url
    cluster: RedisCluster = request.getfixturevalue("cluster")
    cluster.flush()
    await load_functions(cluster.administrator_url)
    return cluster.url


@pytest.fixture(scope="module")
def cluster() -> Iterator[RedisCluster]:
    with running_cluster(documented_cluster_rules()) as running:
        yield running


@pytest.fixture
async def start(url: str) -> AsyncIterator[Start]:
    """Starts brokers that announce for ever, and ends them with the test."""
    kind, where = (
        ("redis", url) if url.startswith("redis") else ("sqlite", url[len("sqlite:///") :])
    )
    processes = []

    async def start_one() -> Worker:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", f"tests.contract.{kind}_worker", where),
            cwd=REPOSITORY,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        processes.append(process)
        worker = Worker(process)
        assert await worker.hear() == "ready"
        return worker

    yield start_one
    for process in processes:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def _killed_in_the_midst(worker: Worker) -> list[str]:
    """What the broker reported; its last line may be torn off."""
    reported = [await worker.hear() for _ in range(REPORTS_BEFORE_THE_KILL)]
    worker.process.send_signal(signal.SIGKILL)
    while (name := await worker.hear()) is not None:
        reported.append(name)
    assert await worker.process.wait() == -signal.SIGKILL
    return reported


async def _due(stores: Stores) -> list[Announcement]:
    found: list[Announcement] = []
    while more := await stores.outbox.due(VERY_LATE, 60.0, PAGE):
        found += more
    return found


async def _tokens(stores: Stores) -> set[str]:
    found: set[str] = set()
    after = None
    while page := await stores.tokens.query(TokenQuery(after=after, limit=PAGE)):
        found |= {record.alias for record in page}
        after = page[-1].alias
    return found


async def test_what_a_killed_broker_did_is_announced(url: str, start: Start) -> None:
    """Each token that is there has its announcement, and none is announced that is not; what the
    broker had let out, and said so, is not found again."""
    worker = await start()
    await worker.tell("announce_for_ever")
    reported = await _killed_in_the_midst(worker)
    stores = await open_stores(url, ROOT)
    due = await _due(stores)
    ids = {each.id for each in due}
    assert len(ids) == len(due)
    let_out = {name.removeprefix("out ") for name in reported if name.startswith("out ")}
    issued = {name for name in reported if not name.startswith("out ")}
    tokens = await _tokens(stores)
    assert let_out
    assert issued <= tokens
    assert not ids & let_out
    kept = {name for name in tokens if int(name.partition("-")[2]) % 2}
    assert kept <= ids <= tokens - let_out
    await stores.outbox.done(due)
    assert await _due(stores) == []
    await stores.close()


async def test_what_a_killed_broker_cancelled_is_announced(url: str, start: Start) -> None:
    """A token is either there or its end is announced, once."""
    worker = await start()
    await worker.tell("cancel_for_ever")
    reported = await _killed_in_the_midst(worker)
    stores = await open_stores(url, ROOT)
    due = [each.alias for each in await _due(stores) if each.type == "token.cancelled"]
    assert set(reported) <= set(due)
    assert len(due) == len(set(due))
    assert not set(due) & await _tokens(stores)
    await stores.close()


async def test_brokers_share_what_a_killed_one_left(url: str, start: Start) -> None:
    """Two that look at once are each handed what the other is not."""
    worker = await start()
    await worker.tell("announce_for_ever")
    await _killed_in_the_midst(worker)
    first, second = await open_stores(url, ROOT), await open_stores(url, ROOT)
    shares = await asyncio.gather(_due(first), _due(second))
    ids = [each.id for share in shares for each in share]
    assert len(ids) == len(set(ids))
    tokens = await _tokens(first)
    assert {name for name in tokens if int(name.partition("-")[2]) % 2} <= set(ids)
    await first.close()
    await second.close()

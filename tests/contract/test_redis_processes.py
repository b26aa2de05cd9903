"""Several broker processes on one Redis, and Redis itself killed."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from adapters.stores import Stores, open_stores
from broker.errors import Unavailable
from broker.model import Claim, Secret
from broker.testing import NOW, a_claim, a_record, a_session, an_announcement, an_answer
from tests.contract.roots import ROOT
from tests.support.redis_rules import documented_rules
from tests.support.redis_server import RedisServer, running_redis
from tests.support.store_worker import Worker

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("redis")]

REPOSITORY = Path(__file__).parents[2]
COMMITS_BEFORE_THE_KILL = 300
CONCURRENT = 16


Start = Callable[[], Awaitable[Worker]]


@pytest.fixture
async def start(redis: RedisServer) -> AsyncIterator[Start]:
    """Starts workers, and ends them with the test."""
    processes = []

    async def start_one() -> Worker:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.contract.redis_worker",
            redis.url,
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


@pytest.fixture
def mortal() -> Iterator[RedisServer]:
    """A server that a test may kill."""
    with running_redis(documented_rules()) as running:
        running.empty()
        yield running


async def test_one_process_wins_a_claim(start: Start) -> None:
    """Of twenty concurrent claims of one request from two processes, one wins."""
    workers = await asyncio.gather(start(), start())
    won = await asyncio.gather(
        *(worker.do("claims", f"process-{n}", 10) for n, worker in enumerate(workers))
    )
    assert sum(won) == 1


async def test_what_one_issued_the_other_cancels(redis: RedisServer, start: Start) -> None:
    """A token of one process is found and cancelled by another, and stays cancelled in both."""
    stores = await open_stores(redis.url, ROOT)
    worker = await start()
    assert await worker.do("issue", "theirs") == "theirs"
    assert await stores.tokens.get("theirs") is not None
    assert await stores.tokens.cancel("theirs")
    assert await worker.do("cancel", "theirs") is False
    assert await worker.do("issue", "again") == "again"
    assert await worker.do("cancel", "again") is True
    assert await stores.tokens.get("again") is None
    await stores.close()


async def test_a_killed_broker_loses_nothing_it_reported(redis: RedisServer, start: Start) -> None:
    """After kill -9 of a broker in the midst of commits, each reported one is there."""
    worker = await start()
    await worker.tell("issue_for_ever")
    reported = [await worker.hear() for _ in range(COMMITS_BEFORE_THE_KILL)]
    worker.process.kill()
    while (name := await worker.hear()) is not None:
        reported.append(name)
    stores = await open_stores(redis.url, ROOT)
    for name in reported:
        assert await stores.tokens.get(name) == a_record(alias=name, token_id=name)
        assert await stores.ledger.fetch("requester:alice", name, NOW) == an_answer(token_id=name)
    await stores.close()


class Writers:
    """Claims and commits through one store until it is told to stop, whatever Redis does."""

    def __init__(self, stores: Stores) -> None:
        self.acknowledged: list[str] = []
        self.failures = 0
        self.surprises: list[BaseException] = []
        self._stores = stores
        self._stopping = False
        self._lanes = [asyncio.create_task(self._lane(lane)) for lane in range(CONCURRENT)]

    async def stop(self) -> None:
        self._stopping = True
        await asyncio.gather(*self._lanes)

    async def more_than(self, count: int) -> None:
        while True:
            if len(self.acknowledged) > count:
                return
            await asyncio.sleep(0.005)

    async def _lane(self, lane: int) -> None:
        number = 0
        while not self._stopping:
            number += 1
            await self._one(f"{lane}-{number}")

    async def _one(self, name: str) -> None:
        try:
            claim = await self._stores.ledger.claim(
                a_claim(request_id=name, token_id=name), NOW, 5.0
            )
            assert isinstance(claim, Claim)
            record = a_record(alias=name, token_id=name)
            told = an_announcement(id=name, request=(claim.scope or "", name), alias=name)
            answer = an_answer(token_id=name)
            await self._stores.ledger.commit(claim, record, answer, NOW + 60, told)
            self.acknowledged.append(name)
        except Unavailable:
            self.failures += 1
            await asyncio.sleep(0.01)
        except Exception as error:
            self.surprises.append(error)


async def test_a_killed_redis_loses_nothing_that_was_acknowledged(mortal: RedisServer) -> None:
    """After kill -9 of Redis in the midst of commits, each acknowledged one is there, and in the
    outbox; others failed as Unavailable, and the same store goes on once Redis is back."""
    stores = await open_stores(mortal.url, ROOT)
    await stores.sessions.put(a_session())
    writers = Writers(stores)
    await writers.more_than(COMMITS_BEFORE_THE_KILL)
    cancelled = writers.acknowledged[0]
    assert await stores.tokens.cancel(cancelled)
    for _ in range(2):
        await asyncio.to_thread(mortal.kill)
        await asyncio.sleep(0.1)
        await asyncio.to_thread(mortal.start)
        await writers.more_than(len(writers.acknowledged) + 50)
    await writers.stop()
    assert not writers.surprises
    assert writers.failures > 0
    for name in writers.acknowledged:
        found = await stores.tokens.get(name)
        assert found == (None if name == cancelled else a_record(alias=name, token_id=name))
        assert await stores.ledger.fetch("requester:alice", name, NOW) == an_answer(token_id=name)
    assert await stores.sessions.get(Secret("session-1")) == a_session()
    announced: set[str] = set()
    while due := await stores.outbox.due(NOW + 10_000, 60.0, 1000):
        announced |= {each.id for each in due}
    assert set(writers.acknowledged) <= announced
    for name in announced - {cancelled}:
        assert await stores.tokens.get(name) is not None
    await stores.close()


async def test_a_commit_whose_reply_was_lost_can_be_read(mortal: RedisServer) -> None:
    """A request whose outcome is unknown ends, asked again, in its answer or in its own claim."""
    stores = await open_stores(mortal.url, ROOT)
    claims = [
        await stores.ledger.claim(a_claim(request_id=str(n), token_id=str(n)), NOW, 5.0)
        for n in range(50)
    ]
    commits = [
        asyncio.create_task(
            stores.ledger.commit(
                claim,
                a_record(alias=claim.token_id, token_id=claim.token_id),
                an_answer(token_id=claim.token_id),
                NOW + 60,
            )
        )
        for claim in claims
        if isinstance(claim, Claim)
    ]
    await asyncio.sleep(0.001)
    mortal.kill()
    results = await asyncio.gather(*commits, return_exceptions=True)
    assert {type(result) for result in results} <= {type(None), Unavailable}
    await asyncio.to_thread(mortal.start)
    for n in range(50):
        again = await stores.ledger.claim(a_claim(request_id=str(n), token_id="x"), NOW + 5, 5.0)
        if isinstance(again, Claim):
            assert again.token_id == str(n)
            assert again.epoch == 2
            assert await stores.tokens.get(str(n)) is None
        else:
            assert again == an_answer(token_id=str(n))
            assert await stores.tokens.get(str(n)) is not None
    await stores.close()


async def test_a_redis_that_is_loading_is_unavailable(mortal: RedisServer) -> None:
    """While Redis reads its files nothing but Unavailable is heard; then it goes on."""
    stores = await open_stores(mortal.url, ROOT)
    await asyncio.gather(*(stores.replays.spend(str(n), "r", NOW + 60) for n in range(500)))
    mortal.kill()
    mortal.launch(key_load_delay="300", aof_load_truncated="yes")
    heard: set[str] = set()
    spent: bool | None = None
    while spent is None:
        try:
            spent = await stores.replays.spend("0", "another", NOW + 60)
        except Unavailable as error:
            heard.add(str(error.detail).split(":")[1].strip())
            await asyncio.sleep(0.005)
    assert spent is False
    assert "BusyLoadingError" in heard
    await stores.close()

"""Several processes on one SQLite store, one of them killed."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from adapters.stores import Stores, open_stores
from broker.testing import NOW, a_claim, an_answer
from tests.contract.roots import ROOT
from tests.support.store_worker import Worker

REPOSITORY = Path(__file__).parents[2]
COMMITS_BEFORE_THE_KILL = 300


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "remint.db"


@pytest.fixture
async def stores(path: Path) -> AsyncIterator[Stores]:
    opened = await open_stores(f"sqlite:///{path}", ROOT)
    yield opened
    await opened.close()


@pytest.fixture
async def start(path: Path) -> AsyncIterator[Callable[[], Awaitable[Worker]]]:
    """Starts workers, and ends them with the test."""
    processes = []

    async def start_one() -> Worker:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.contract.sqlite_worker",
            str(path),
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


Start = Callable[[], Awaitable[Worker]]


async def test_what_one_issued_the_other_cancels(stores: Stores, start: Start) -> None:
    """A token of one process is found and cancelled by another, and stays cancelled in both."""
    worker = await start()
    assert await worker.do("issue", "theirs") == "theirs"
    assert await stores.tokens.get("theirs") is not None
    assert await stores.tokens.cancel("theirs")
    assert await worker.do("cancel", "theirs") is False
    assert await worker.do("issue", "again") == "again"
    assert await worker.do("cancel", "again") is True
    assert await stores.tokens.get("again") is None


async def test_a_publish_is_seen_at_once(stores: Stores, start: Start) -> None:
    """Once a publish returned in one process, the other sees a new generation and the document."""
    worker = await start()
    before = await stores.instances.generation()
    assert await worker.do("issue", "a") == "a"
    assert await stores.instances.generation() == before
    assert await worker.do("publish", "theirs") == "theirs"
    assert await stores.instances.generation() != before
    assert await stores.instances.get("theirs") is not None


async def test_one_process_wins_a_claim(start: Start) -> None:
    """Of twenty concurrent claims of one request from two processes, one wins."""
    workers = await asyncio.gather(start(), start())
    won = await asyncio.gather(
        *(worker.do("claims", f"process-{n}", 10) for n, worker in enumerate(workers))
    )
    assert sum(won) == 1


async def test_a_killed_writer_loses_nothing_it_reported(path: Path, start: Start) -> None:
    """After kill -9 in the midst of commits, each reported one is there, record and answer."""
    worker = await start()
    await worker.tell("issue_for_ever")
    reported = [await worker.hear() for _ in range(COMMITS_BEFORE_THE_KILL)]
    worker.process.send_signal(signal.SIGKILL)
    while (name := await worker.hear()) is not None:
        reported.append(name)
    assert await worker.process.wait() == -signal.SIGKILL
    stores = await open_stores(f"sqlite:///{path}", ROOT)
    for name in reported:
        record = await stores.tokens.get(name)
        assert record is not None
        assert record.token_id == name
        known = await stores.ledger.claim(a_claim(request_id=name), NOW, 5.0)
        assert known == an_answer(token_id=name)
    await stores.close()


async def test_a_survivor_goes_on_while_others_are_killed(stores: Stores, start: Start) -> None:
    """A process killed in the midst of its commits leaves no lock behind."""
    for round_number in range(3):
        worker = await start()
        await worker.tell("issue_for_ever")
        await worker.hear()
        worker.process.send_signal(signal.SIGKILL)
        claim = a_claim(request_id=f"mine-{round_number}")
        won = await stores.ledger.claim(claim, NOW, 5.0)
        assert won == a_claim(request_id=f"mine-{round_number}", epoch=1)
        await worker.process.wait()
        await stores.tokens.reap(NOW + 10_000)
        await stores.ledger.reap(NOW + 10_000_000)


async def test_processes_that_start_at_once_make_one_store(start: Start) -> None:
    """Four processes that find no file agree on one, and each sees what another wrote."""
    workers = await asyncio.gather(*(start() for _ in range(4)))
    for number, worker in enumerate(workers):
        assert await worker.do("issue", str(number)) == str(number)
    for number, worker in enumerate(workers):
        assert await worker.do("cancel", str((number + 1) % 4)) is True

"""A broker killed in the middle of publishing instances (F10)."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from adapters.stores import Stores, open_stores
from broker.errors import AlreadyPublished
from tests.contract.roots import ROOT
from tests.contract.sqlite_worker import numbered
from tests.support.store_worker import Worker

REPOSITORY = Path(__file__).parents[2]
PUBLISHED_BEFORE_THE_KILL = 20
KILLS = 3
ON_REDIS = (pytest.mark.server, pytest.mark.xdist_group("redis"))


@dataclass
class Place:
    """A store, and the worker that publishes into it."""

    url: str
    module: str
    argument: str

    async def killed_while_publishing(self, heard: int) -> int:
        """The number of the last publish that returned before ``kill -9``."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", self.module, self.argument),
            cwd=REPOSITORY,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        worker = Worker(process)
        try:
            assert await worker.hear() == "ready"
            await worker.tell("publish_for_ever")
            for _ in range(heard):
                last = await worker.hear()
        finally:
            process.kill()
        while (number := await worker.hear()) is not None:
            last = number
        await process.communicate()
        return int(last)


@pytest.fixture(params=["sqlite", pytest.param("redis", marks=ON_REDIS)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "sqlite":
        path = str(tmp_path / "remint.db")
        return Place(f"sqlite:///{path}", "tests.contract.sqlite_worker", path)
    url = request.getfixturevalue("redis").url
    return Place(url, "tests.contract.redis_worker", url)


async def _is_whole_after(stores: Stores, last: int) -> None:
    """Old or new, never half: of the publish that was cut off, and of all before it."""
    found = {document.id: document for document in await stores.instances.list()}
    demo = found.pop("demo")
    assert demo in (numbered("demo", last), numbered("demo", last + 1))
    assert {f"new-{number}" for number in range(1, last + 1)} <= set(found)
    assert len(found) <= last + 1
    for name, document in found.items():
        assert document == numbered(name, int(document.revision))


async def test_a_killed_publisher_leaves_whole_instances(place: Place) -> None:
    """Whatever moment it dies in, readers see whole documents, those it reported among them. Its
    retry is told that the name is taken, and an update in its place succeeds."""
    for kill in range(KILLS):
        last = await place.killed_while_publishing(PUBLISHED_BEFORE_THE_KILL + kill)
        stores = await open_stores(place.url, ROOT)
        await _is_whole_after(stores, last)
        generation = await stores.instances.generation()
        again = numbered(f"new-{last}", last)
        with pytest.raises(AlreadyPublished):
            await stores.instances.create(again)
        assert await stores.instances.generation() == generation
        await stores.instances.replace(again, str(last))
        assert await stores.instances.get(again.id) == again
        for document in await stores.instances.list():
            await stores.instances.delete(document.id, None)
        await stores.close()

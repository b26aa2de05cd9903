"""Modules and chains in every store: shared, sealed, carried over, and held together."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from adapters.authentication.directory import AuthenticationDirectory
from adapters.authentication.kinds import installed
from adapters.stores import Stores, open_stores
from adapters.transfer import collected, planned
from broker.authentication import Evidence
from broker.errors import Conflict, Unavailable
from broker.model import USERNAME
from broker.output_options import AuthTarget
from tests.contract.roots import ROOT
from tests.support.authentication import parts
from tests.support.planted import CLIENT_SECRET, MARK
from tests.support.redis_server import RedisServer
from tests.support.word_module import install_word

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("redis")]

WORDS = {"kind": "word", "word": CLIENT_SECRET}
CHAIN = {"modules": [{"module": "words", "flag": "required"}]}
DEFAULT = {"target": "service|c"}
DOCUMENT = "authentication/"
Open = Callable[[], Any]
Make = Callable[[Stores], AuthenticationDirectory]


@pytest.fixture(params=["memory", "sqlite", "redis"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Opens the store of a broker; in memory there is one for all."""
    if request.param == "redis":
        server: RedisServer = request.getfixturevalue("redis")
        url = server.url
    else:
        url = "memory://" if request.param == "memory" else f"sqlite:///{tmp_path}/remint.db"
    shared: list[Stores] = []

    @contextlib.asynccontextmanager
    async def open_one() -> AsyncIterator[Stores]:
        if url != "memory://" or not shared:
            shared.append(await open_stores(url, ROOT))
        stores = shared[-1]
        yield stores
        await stores.close()

    return open_one


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Makes the directory of a broker on a store."""
    install_word(tmp_path, monkeypatch)
    return lambda stores: AuthenticationDirectory(
        stores.configuration,
        kinds=installed(),
        parts=parts(tmp_path),
        revision_key=stores.deployment.key.derive("authentication-revisions"),
    )


async def filled(made: AuthenticationDirectory) -> None:
    await made.modules.put("/", "words", WORDS)
    await made.chains.put("/", "c", CHAIN)
    await made.defaults.put("/", "USERNAME", DEFAULT)


async def test_brokers_share_them(opened: Open, directory: Make) -> None:
    """What one broker is told, another sees once it looks; what is removed is gone for both, and
    leaves nothing in the store."""
    async with opened() as one, opened() as two:
        mine, yours = directory(one), directory(two)
        await filled(mine)
        assert await yours.refresh()
        assert yours.target("/", USERNAME, None) is not None
        await yours.defaults.delete("/", "USERNAME")
        await yours.chains.delete("/", "c")
        await yours.modules.delete("/", "words")
        assert await mine.refresh()
        assert mine.target("/", USERNAME, None) is None
        assert await one.configuration.list(DOCUMENT) == {}


async def test_two_brokers_change_one_realm(opened: Open, directory: Make) -> None:
    """A chain is never left with a module that another broker removed meanwhile."""
    async with opened() as one, opened() as two:
        mine, yours = directory(one), directory(two)
        await mine.modules.put("/", "words", WORDS)
        assert await yours.refresh()
        await yours.chains.put("/", "c", CHAIN)
        with pytest.raises(Conflict):
            await mine.modules.delete("/", "words")
        await mine.chains.delete("/", "c")
        await mine.modules.delete("/", "words")
        with pytest.raises(Conflict):
            await yours.chains.put("/", "c", CHAIN)


async def test_nothing_known_lets_nobody_in(opened: Open, directory: Make) -> None:
    """Until the store was read once nobody is let in: what it holds may ask for a second factor."""
    async with opened() as stores:
        made = directory(stores)
        with pytest.raises(Unavailable):
            made.target("/", USERNAME, None)
        assert await made.refresh()
        assert made.target("/", USERNAME, None) is None


@pytest.mark.parametrize("broken", [b"{", b'{"authentication":[{}]}', b"[]"])
async def test_broken_document(opened: Open, directory: Make, broken: bytes) -> None:
    """A document that cannot be read leaves what was known in force, and lets nobody in at a
    broker that never read it."""
    async with opened() as stores:
        made = directory(stores)
        await filled(made)
        before = made.target("/", USERNAME, None)
        known = await stores.configuration.get(DOCUMENT)
        assert await stores.configuration.swap(DOCUMENT, known, broken)
        assert await made.refresh()
        assert made.target("/", USERNAME, None) is before
        fresh = directory(stores)
        assert await fresh.refresh()
        for named in (None, AuthTarget("module", "DataStore")):
            instead = fresh.target("/", USERNAME, named)
            assert instead is not None
            with pytest.raises(Unavailable):
                await instead.authenticate(Evidence("/", 0.0))


async def test_carried_over(opened: Open, directory: Make, tmp_path: Path) -> None:
    """An export holds them with their secrets, and an import brings them into another store."""
    async with opened() as stores:
        await filled(directory(stores))
        configuration = await collected(stores, ("/",))
    other = await open_stores(f"sqlite:///{tmp_path}/other.db", ROOT)
    await (await planned(other, configuration)).carry_out()
    made = directory(other)
    assert await made.refresh()
    assert (await made.modules.get("/", "words"))["word"] == CLIENT_SECRET
    assert made.target("/", USERNAME, None) is not None
    await other.close()


async def test_secret_is_sealed_on_disk(directory: Make, tmp_path: Path) -> None:
    """The secret of a module stands in no file of the store."""
    stores = await open_stores(f"sqlite:///{tmp_path}/remint.db", ROOT)
    made = directory(stores)
    await filled(made)
    await stores.close()
    contents = _contents(tmp_path)
    assert contents
    assert all(MARK.encode() not in data for data in contents)


def _contents(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in folder.glob("remint.db*")]

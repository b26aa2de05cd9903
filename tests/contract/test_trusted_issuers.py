"""Trusted issuers in every store: shared, sealed, carried over, and taken back for all at once."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from adapters.issuers.directory import TrustedIssuers
from adapters.stores import Stores, open_stores
from adapters.transfer import collected, planned
from broker.errors import Conflict
from tests.contract.roots import ROOT
from tests.support.issuers import IDP, NAME, trusting
from tests.support.planted import CLIENT_SECRET, MARK
from tests.support.redis_server import RedisServer

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("redis")]

SECRET = trusting(jwks=None, client_secret=CLIENT_SECRET)
Open = Callable[[], Any]


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


def directory(stores: Stores) -> TrustedIssuers:
    return TrustedIssuers(
        stores.configuration,
        url="https://sts.example.com",
        jwks=lambda _realm: {"keys": []},
        is_ours=lambda _kid: False,
        revision_key=stores.deployment.key.derive("issuer-revisions"),
    )


async def test_brokers_share_whom_they_trust(opened: Open) -> None:
    """What one broker is told, another sees once it looks; what is taken back is gone for both."""
    async with opened() as one, opened() as two:
        mine, yours = directory(one), directory(two)
        await mine.put("/a", NAME, trusting())
        assert await yours.refresh()
        found = yours.find("/a", IDP)
        assert found is not None
        assert found.rules == mine.find("/a", IDP).rules  # type: ignore[union-attr]
        assert (yours.find("/", IDP), yours.any("/"), yours.any("/a")) == (None, False, True)
        await yours.delete("/a", NAME)
        assert await mine.refresh()
        assert not mine.any("/a")
        assert await one.configuration.list("issuers/") == {}


async def test_two_brokers_change_one_realm(opened: Open) -> None:
    """A change that another broker's change overtook is made anew on top of it, and an iss that
    was taken meanwhile is refused."""
    async with opened() as one, opened() as two:
        mine, yours = directory(one), directory(two)
        await mine.put("/", "a", trusting(issuer=f"{IDP}/a"))
        await yours.put("/", "b", trusting(issuer=f"{IDP}/b"))
        assert [row["name"] for row in await mine.list("/")] == ["a", "b"]
        with pytest.raises(Conflict):
            await mine.put("/", "c", trusting(issuer=f"{IDP}/b"))


async def test_what_was_fetched_outlives_a_change_elsewhere(opened: Open) -> None:
    """Keys of an issuer are kept as long as they come from the same place, whatever changes."""
    async with opened() as stores:
        issuers = directory(stores)
        place = trusting(jwks=None, jwks_url="https://idp.example.com/jwks")
        await issuers.put("/", NAME, place)
        before = issuers.find("/", IDP)
        await issuers.put("/", NAME, {**place, "leeway_seconds": 1})
        await issuers.put("/", "other", trusting(issuer=f"{IDP}/other"))
        after = issuers.find("/", IDP)
        assert before is not None
        assert after is not None
        assert after.source is before.source
        assert after.rules.leeway_seconds == 1
        await issuers.put("/", NAME, {**place, "jwks_url": "https://idp.example.com/other"})
        moved = issuers.find("/", IDP)
        assert moved is not None
        assert moved.source is not before.source
        await issuers.close()


async def test_broken_document_is_not_obeyed(opened: Open) -> None:
    """A document that cannot be read leaves what was known in force."""
    async with opened() as stores:
        issuers = directory(stores)
        await issuers.put("/", NAME, trusting())
        for broken in (b"{", b'{"issuers":[{"name":"x"}]}', b"[]"):
            known = await stores.configuration.get("issuers/")
            assert await stores.configuration.swap("issuers/", known, broken)
            assert await issuers.refresh()
            assert issuers.find("/", IDP) is not None


async def test_carried_over(opened: Open, tmp_path: Path) -> None:
    """An export holds the issuers with their secrets, and an import brings them into another
    store."""
    async with opened() as stores:
        await directory(stores).put("/", NAME, SECRET)
        configuration = await collected(stores, ("/",))
    other = await open_stores(f"sqlite:///{tmp_path}/other.db", ROOT)
    await (await planned(other, configuration)).carry_out()
    issuers = directory(other)
    assert await issuers.refresh()
    assert (await issuers.get("/", NAME))["client_secret"] == CLIENT_SECRET
    assert issuers.find("/", IDP) is not None
    await other.close()


async def test_secret_is_sealed_on_disk(tmp_path: Path) -> None:
    """A client secret stands in no file of the store."""
    stores = await open_stores(f"sqlite:///{tmp_path}/remint.db", ROOT)
    await directory(stores).put("/", NAME, SECRET)
    await stores.close()
    files = _contents(tmp_path)
    assert files
    assert all(MARK.encode() not in data for data in files)


def _contents(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in folder.glob("remint.db*")]

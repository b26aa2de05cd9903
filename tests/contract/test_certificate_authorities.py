"""Certificate authorities in every store: shared, carried over, and taken back for all at once."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from adapters.certificates.directory import CertificateAuthorities
from adapters.stores import Stores, open_stores
from adapters.transfer import collected, planned
from broker.errors import Conflict
from tests.contract.roots import ROOT
from tests.support.pki import NAME, document, pem_list, root
from tests.support.redis_server import RedisServer

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("redis")]

ANCHOR, OTHER = root(), root("Other Root")
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


async def test_brokers_share_authorities(opened: Open) -> None:
    """What one broker is told, another sees once it looks; what is taken back is gone for both."""
    async with opened() as one, opened() as two:
        mine, yours = (CertificateAuthorities(each.configuration) for each in (one, two))
        await mine.put("/a", NAME, document(ANCHOR))
        assert await yours.refresh()
        [found] = yours.of("/a")
        assert found.rules == mine.of("/a")[0].rules
        assert list(yours.of("/")) == []
        await yours.delete("/a", NAME)
        assert await mine.refresh()
        assert list(mine.of("/a")) == []
        assert await one.configuration.list("authorities/") == {}


async def test_two_brokers_change_one_realm(opened: Open) -> None:
    """A change that another broker's change overtook is made anew on top of it, and an anchor that
    was taken meanwhile is refused."""
    async with opened() as one, opened() as two:
        mine, yours = (CertificateAuthorities(each.configuration) for each in (one, two))
        await mine.put("/", "a", document(ANCHOR))
        await yours.put("/", "b", document(OTHER))
        assert [row["name"] for row in await mine.list("/")] == ["a", "b"]
        with pytest.raises(Conflict):
            await mine.put("/", "c", document(OTHER))


async def test_what_was_learnt_outlives_a_change_elsewhere(opened: Open) -> None:
    """Lists are kept as long as they come from the same places, whatever else changes."""
    async with opened() as stores:
        authorities = CertificateAuthorities(stores.configuration)
        said = document(ANCHOR, revocation="hard", crl_urls=["http://crl.example.com/a"])
        await authorities.put("/", NAME, said)
        [before] = authorities.of("/")
        await authorities.put("/", NAME, {**said, "subject": "cn"})
        [after] = authorities.of("/")
        assert (after.rules.subject, after.sources is before.sources) == ("cn", True)
        await authorities.put("/", NAME, {**said, "crl_urls": ["http://crl.example.com/b"]})
        assert authorities.of("/")[0].sources is not before.sources
        await authorities.close()


async def test_broken_document_is_not_obeyed(opened: Open) -> None:
    """A document that cannot be read leaves what was known in force."""
    async with opened() as stores:
        authorities = CertificateAuthorities(stores.configuration)
        await authorities.put("/", NAME, document(ANCHOR))
        for broken in (b"{", b'{"authorities":[{"name":"x"}]}', b"[]"):
            known = await stores.configuration.get("authorities/")
            assert await stores.configuration.swap("authorities/", known, broken)
            assert await authorities.refresh()
            assert len(authorities.of("/")) == 1


async def test_carried_over(opened: Open, tmp_path: Path) -> None:
    """An export holds the authorities, and an import brings them into another store."""
    said = document(ANCHOR, revocation="hard", crls=pem_list(ANCHOR.crl()))
    async with opened() as stores:
        await CertificateAuthorities(stores.configuration).put("/", NAME, said)
        configuration = await collected(stores, ("/",))
    other = await open_stores(f"sqlite:///{tmp_path}/other.db", ROOT)
    await (await planned(other, configuration)).carry_out()
    authorities = CertificateAuthorities(other.configuration)
    assert await authorities.refresh()
    [found] = authorities.of("/")
    assert found.rules.anchors == (ANCHOR.der,)
    await other.close()

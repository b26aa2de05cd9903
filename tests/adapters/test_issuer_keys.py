"""Keys of trusted issuers that have to be fetched: from a real server, which may be anything."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from adapters.issuers import fetching, jwk_set
from adapters.issuers.fetching import Fetcher
from adapters.issuers.jwk_set import MAX_SET_BYTES, UnusableSet
from adapters.issuers.sources import (
    AGAIN_SECONDS,
    FILE_FRESH_SECONDS,
    FIRST_SECONDS,
    FRESH_SECONDS,
    MAX_WAITING,
    STALE_SECONDS,
    FetchedKeys,
    FetchFailed,
)
from broker.errors import Unavailable
from tests.support.issuers import KINDS, certificate, key, public

GOOD = json.dumps(public(key())).encode()
ANOTHER = json.dumps(public(key("RSA", "k2", 1))).encode()
BAD_SETS = [
    b"",
    b"<html>",
    b"[]",
    b"{}",
    b'{"keys": []}',
    b'{"keys": {}}',
    b'{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}',
    json.dumps({"keys": public(key())["keys"] * 2}).encode(),
    json.dumps({"keys": public(key())["keys"] * 101}).encode(),
    b" " * (MAX_SET_BYTES + 1),
]


@dataclass
class Site:
    """A server with pages that the test changes, and what was asked of it."""

    url: str = ""
    pages: dict[str, web.Response | bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    wait: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        await self.wait.wait()
        page = self.pages.get(request.path)
        if page is None:
            return web.Response(status=404)
        return web.Response(body=page) if isinstance(page, bytes) else page


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    found = Site()
    found.wait.set()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", found.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    place = web.TCPSite(runner, "127.0.0.1", 0)
    await place.start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield found
    await runner.cleanup()


@pytest.fixture
async def fetcher() -> AsyncIterator[Fetcher]:
    made = Fetcher()
    yield made
    await made.close()


@dataclass
class Timer:
    """Seconds that pass when the test says so."""

    at: float = 1000.0

    def __call__(self) -> float:
        return self.at


def keys_from(site: Site, fetcher: Fetcher, timer: Timer) -> FetchedKeys:
    site.pages.setdefault("/jwks", GOOD)
    fetch = fetcher.from_url(f"{site.url}/jwks")
    return FetchedKeys(fetch, "https://idp.example.com", monotonic=timer)


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(30):
        while not await holds():  # noqa: ASYNC110  # a cache has no event
            await asyncio.sleep(0.01)


async def test_one_fetch_for_all_who_wait(site: Site, fetcher: Fetcher) -> None:
    """Many requests that need the keys at once cost one fetch, and later ones none."""
    keys = keys_from(site, fetcher, Timer())
    site.wait.clear()
    waiting = [asyncio.create_task(keys.keys("RS256", "k1")) for _ in range(50)]
    await asyncio.sleep(0)
    waiting[0].cancel()  # who stops waiting takes it from nobody
    site.wait.set()
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert [len(each) for each in found[1:] if not isinstance(each, BaseException)] == [1] * 49
    assert len(await keys.keys("RS256", None)) == 1
    assert site.asked == ["/jwks"]


async def test_only_so_many_wait(site: Site, fetcher: Fetcher) -> None:
    """Of those who need the keys of an issuer that does not answer only so many wait; the others
    hear at once that it cannot be asked, and all is well when it answers."""
    keys = keys_from(site, fetcher, Timer())
    site.wait.clear()
    waiting = [asyncio.create_task(keys.keys("RS256", "k1")) for _ in range(MAX_WAITING)]
    while not site.asked:  # noqa: ASYNC110  # the server has no event
        await asyncio.sleep(0.01)
    with pytest.raises(Unavailable):
        async with asyncio.timeout(30):
            await keys.keys("RS256", "k1")
    assert not any(task.done() for task in waiting)
    site.wait.set()
    assert all(await asyncio.gather(*waiting))
    assert await keys.keys("RS256", "k1")
    await keys.close()


async def test_unknown_kids_flood(site: Site, fetcher: Fetcher) -> None:
    """Any number of unknown kids costs one fetch in ``AGAIN_SECONDS``, and a known kid none."""
    timer = Timer()
    keys = keys_from(site, fetcher, timer)
    await keys.keys("RS256", "k1")
    timer.at += AGAIN_SECONDS
    for number in range(200):
        assert not await keys.keys("RS256", f"made-up-{number}")
    assert len(site.asked) == 2
    timer.at += AGAIN_SECONDS - 0.1
    assert not await keys.keys("RS256", "made-up")
    assert await keys.keys("RS256", "k1")
    assert len(site.asked) == 2


async def test_new_key_is_found(site: Site, fetcher: Fetcher) -> None:
    """A token under a key that the issuer has just begun to use makes the broker look again."""
    timer = Timer()
    keys = keys_from(site, fetcher, timer)
    assert not await keys.keys("RS256", "k2")
    site.pages["/jwks"] = ANOTHER
    assert not await keys.keys("RS256", "k2")
    timer.at += AGAIN_SECONDS
    assert await keys.keys("RS256", "k2")
    assert not await keys.keys("RS256", "k1")


@pytest.mark.parametrize("bad", [*BAD_SETS, None], ids=lambda bad: repr(bad)[:40])
async def test_bad_set_never_replaces_a_good_one(
    site: Site, fetcher: Fetcher, bad: bytes | None
) -> None:
    """A set that turns bad, or is gone, leaves the good one in force, and a good one ends that."""
    timer = Timer()
    keys = keys_from(site, fetcher, timer)
    assert await keys.keys("RS256", "k1")
    site.pages = {} if bad is None else {"/jwks": bad}
    timer.at += FRESH_SECONDS
    assert await keys.keys("RS256", "k1")
    assert not await keys.keys("RS256", "k2")  # which waits for the fetch under way
    assert await keys.keys("RS256", "k1")
    site.pages["/jwks"] = ANOTHER
    timer.at += AGAIN_SECONDS
    assert await keys.keys("RS256", "k2")


async def test_stale_keys_end(site: Site, fetcher: Fetcher) -> None:
    """Keys that could not be fetched anew serve for ``STALE_SECONDS`` and not longer: 503."""
    timer = Timer()
    keys = keys_from(site, fetcher, timer)
    assert await keys.keys("RS256", "k1")
    site.pages = {}
    timer.at += STALE_SECONDS - 1
    assert await keys.keys("RS256", "k1")
    assert not await keys.keys("RS256", "k2")
    timer.at += AGAIN_SECONDS
    with pytest.raises(Unavailable) as refusal:
        await keys.keys("RS256", "k1")
    assert refusal.value.retry_after == FIRST_SECONDS


async def test_issuer_that_is_down_at_first(site: Site, fetcher: Fetcher) -> None:
    """Without keys everybody hears 503, and the issuer is asked once in ``FIRST_SECONDS``."""
    timer = Timer()
    keys = keys_from(site, fetcher, timer)
    site.pages = {}
    for _ in range(20):
        with pytest.raises(Unavailable):
            await keys.keys("RS256", "k1")
    assert len(site.asked) == 1
    site.pages = {"/jwks": GOOD}
    timer.at += FIRST_SECONDS
    assert await keys.keys("RS256", "k1")


async def test_fresh_keys_come_without_waiting(site: Site, fetcher: Fetcher) -> None:
    """An old set serves while the next one is fetched."""
    timer = Timer()
    keys = keys_from(site, fetcher, timer)
    assert await keys.keys("RS256", "k1")
    site.pages["/jwks"] = ANOTHER
    site.wait.clear()
    timer.at += FRESH_SECONDS
    assert await keys.keys("RS256", "k1")
    site.wait.set()

    async def renewed() -> bool:
        return bool(await keys.keys("RS256", None)) and not await keys.keys("RS256", "k1")

    await until(renewed)
    await keys.close()


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_redirects_are_not_followed(site: Site, fetcher: Fetcher, status: int) -> None:
    """A redirect leads nowhere, not even to a good set."""
    site.pages["/jwks"] = GOOD
    site.pages["/old"] = web.Response(status=status, headers={"Location": f"{site.url}/jwks"})
    with pytest.raises(FetchFailed, match=str(status)):
        await fetcher.from_url(f"{site.url}/old")()
    assert site.asked == ["/old"]


async def test_slow_issuer(site: Site, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch) -> None:
    """An issuer that does not answer in time is one that cannot be reached."""
    monkeypatch.setattr(fetching, "FETCH_SECONDS", 0.05)
    site.wait.clear()
    with pytest.raises(FetchFailed, match="cannot be reached"):
        await fetcher.from_url(f"{site.url}/jwks")()
    site.wait.set()


async def test_endless_answer(site: Site, fetcher: Fetcher) -> None:
    """What is larger than a set can be is not read to its end."""
    site.pages["/jwks"] = b"x" * (50 * MAX_SET_BYTES)
    with pytest.raises(FetchFailed, match="over"):
        await fetcher.from_url(f"{site.url}/jwks")()


async def test_discovery(site: Site, fetcher: Fetcher) -> None:
    """An issuer's configuration leads to its keys."""
    configuration = {"issuer": f"{site.url}/a", "jwks_uri": f"{site.url}/jwks"}
    site.pages["/a/.well-known/openid-configuration"] = json.dumps(configuration).encode()
    site.pages["/jwks"] = GOOD
    assert await fetcher.by_discovery(f"{site.url}/a")() == GOOD


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "https://other.example.com"},
        {"issuer": None},
        {"jwks_uri": None},
        {"jwks_uri": "http://192.0.2.1/jwks"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": ["https://a.example"]},
    ],
    ids=str,
)
async def test_configuration_of_somebody_else(
    site: Site, fetcher: Fetcher, changes: dict[str, Any]
) -> None:
    """A configuration that names another issuer, or no place that will do, leads nowhere."""
    said = {"issuer": site.url, "jwks_uri": f"{site.url}/jwks", **changes}
    site.pages["/.well-known/openid-configuration"] = json.dumps(said).encode()
    with pytest.raises(FetchFailed, match="configuration"):
        await fetcher.by_discovery(site.url)()
    assert "/jwks" not in site.asked


class Named(AbstractResolver):
    """Every name is that of this machine, as for a server elsewhere that the test stands in for."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host, host="127.0.0.1", port=port, family=family, proto=0, flags=0
            )
        ]

    async def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize("place", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"])
async def test_issuer_elsewhere_does_not_lead_here(
    site: Site, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """The configuration of an issuer elsewhere cannot have us ask what listens on this machine."""
    monkeypatch.setattr(fetching, "Resolver", Named)
    issuer = site.url.replace("127.0.0.1", "idp.example.com")
    said = {"issuer": issuer, "jwks_uri": site.url.replace("127.0.0.1", place) + "/jwks"}
    site.pages["/.well-known/openid-configuration"] = json.dumps(said).encode()
    site.pages["/jwks"] = GOOD
    with pytest.raises(FetchFailed, match="names no jwks_uri that will do"):
        await fetcher.by_discovery(issuer)()
    assert site.asked == ["/.well-known/openid-configuration"]


async def test_name_that_leads_here(site: Site, fetcher: Fetcher) -> None:
    """A name that does not say it is this machine's, and is resolved to it, is not asked."""
    site.pages["/jwks"] = GOOD
    with pytest.raises(FetchFailed, match="leads to this machine"):
        await fetcher.from_url(site.url.replace("127.0.0.1", "0x7f000001") + "/jwks")()
    assert site.asked == []
    assert await fetcher.from_url(site.url.replace("127.0.0.1", "localhost") + "/jwks")() == GOOD


@pytest.mark.parametrize(
    ("url", "fits"),
    [
        ("https://idp.example.com/jwks", True),
        ("http://127.0.0.1:8080/jwks", True),
        ("http://[::1]/jwks", True),
        ("http://localhost/jwks", True),
        ("http://idp.example.com/jwks", False),
        ("http://127.0.0.1.example.com/", False),
        ("https://user@idp.example.com/", False),
        ("https://idp.example.com/#x", False),
        ("https://", False),
        ("ftp://127.0.0.1/", False),
        ("https://h:x/", False),
        ("https://[::1/", False),
        ("", False),
    ],
)
def test_where_keys_may_come_from(url: str, fits: bool) -> None:
    """Keys come over https, or over http from this machine."""
    assert fetching.may_fetch(url) is fits


async def test_file_is_read_again(tmp_path: Path) -> None:
    """A file of keys that changes is seen soon, one that turns bad is not."""
    path, timer = tmp_path / "jwks.json", Timer()
    keys = FetchedKeys(
        fetching.from_file(path), "idp", fresh_seconds=FILE_FRESH_SECONDS, monotonic=timer
    )
    with pytest.raises(Unavailable):
        await keys.keys("RS256", "k1")
    path.write_bytes(GOOD)
    timer.at += FIRST_SECONDS
    assert await keys.keys("RS256", "k1")
    path.write_bytes(b"{")
    timer.at += FILE_FRESH_SECONDS
    assert not await keys.keys("RS256", "k2")
    assert await keys.keys("RS256", "k1")
    path.write_bytes(ANOTHER)
    timer.at += FILE_FRESH_SECONDS
    assert await keys.keys("RS256", "k2")


# -- which keys are good enough ------------------------------------------------------------------


def _row(**changes: Any) -> dict[str, Any]:
    row = {**public(key())["keys"][0], **changes}
    return {name: value for name, value in row.items() if value is not None}


def _spoiled(old: str, new: str) -> list[str]:
    """A certificate of P-256 in which these bytes, in hexadecimal, are others."""
    der = base64.b64decode(certificate(key("P-256"))).hex()
    assert old in der
    return [base64.b64encode(bytes.fromhex(der.replace(old, new))).decode()]


WEAK = [
    _row(x5c=_spoiled("a003020102", "a003020107")),  # a version that there is not
    _row(x5c=_spoiled("06072a8648ce3d0201", "06072a8648ce3d0209")),  # a kind of key
    _row(x5c=_spoiled("06082a8648ce3d030107", "06082a8648ce3d03010f")),  # a curve
    {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
    {"kty": "oct", "k": "A" * 64},
    _row(use="enc"),
    _row(key_ops=["sign"]),
    _row(key_ops=[]),
    _row(e="AQ"),
    _row(e="Aw"),
    _row(n=1),
    _row(n=_row()["n"] + "="),
    _row(alg="HS256"),
    _row(alg="ES256"),
    _row(alg="none"),
    _row(kid=""),
    _row(kid=7),
    _row(d="AQAB"),
    _row(x5c=[]),
    _row(x5c=["!"]),
    _row(x5c="MII"),
    {**public(key("P-256"))["keys"][0], "crv": "secp256k1"},
    {**public(key("P-256"))["keys"][0], "crv": "P-384"},
    {**public(key("P-256"))["keys"][0], "y": public(key("P-256"))["keys"][0]["x"]},
    {**public(key("Ed25519"))["keys"][0], "crv": "X25519"},
    "a key",
]


@pytest.mark.parametrize("row", WEAK, ids=range(len(WEAK)))  # the keys are new in each process
def test_unfit_key_is_passed_over_or_refused(row: Any) -> None:
    """A key that is not good enough is passed over in a set that was fetched, and refused in one
    that somebody writes down."""
    good = {**public(key("P-521", "fine"))["keys"][0]}
    found = jwk_set.read({"keys": [row, good]})
    assert len(found) == 1
    with pytest.raises(UnusableSet, match="key 1"):
        jwk_set.read({"keys": [row, good]}, strict=True)


@pytest.mark.parametrize("kind", KINDS)
def test_certificate_as_key(kind: str) -> None:
    """A key may come as a certificate, its dates whatever they are, with the same numbers beside
    it or none; never with others."""
    row, x5c = public(key(kind))["keys"][0], [certificate(key(kind))]
    for good in ({"kty": row["kty"], "kid": "c", "x5c": x5c}, {**row, "x5c": x5c}):
        assert len(jwk_set.read({"keys": [good]}, strict=True)) == 1
    other = {**public(key(kind, "k1", 5))["keys"][0], "x5c": x5c}
    with pytest.raises(UnusableSet, match="another key"):
        jwk_set.read({"keys": [other]}, strict=True)

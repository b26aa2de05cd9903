"""The HTTP sender: what it sends, what it takes for an answer, and dead connections."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bench.driver.connection import LONGEST_ANSWER
from bench.driver.http import Endpoint, HttpSender
from bench.driver.sender import CONNECTION, PARSE, TOO_LARGE, Failed, made
from tests.bench.scripted import GOOD, always, scripted
from tests.support.certificates import loopback_certificate
from tests.support.ports import free_port

TOO_LONG = b"x" * (LONGEST_ANSWER + 1)


@asynccontextmanager
async def opened(
    url: str, lanes: int = 1, head: Mapping[str, str] | None = None, ca: Path | None = None
) -> AsyncIterator[HttpSender]:
    sender = HttpSender(Endpoint(url, head or {}, ca), lanes)
    try:
        await sender.open()
        yield sender
    finally:
        await sender.close()


async def test_request() -> None:
    """A request is a POST of the body with the target's headers, and goes to path and query."""
    async with scripted(always(GOOD)) as server:
        async with opened(
            server.url, head={"Content-Type": "text/plain", "X-One": "two"}
        ) as sender:
            assert await sender.ask(b"body") == b"good"
        head = server.heads[0]
    assert head.startswith(b"POST /token?a=b HTTP/1.1\r\nHost: 127.0.0.1:")
    assert b"\r\nContent-Type: text/plain\r\nX-One: two\r\nContent-Length: 4\r\n" in head
    assert server.bodies == [b"body"]


async def test_keep_alive() -> None:
    """One connection serves all requests of a lane."""
    async with scripted(always(GOOD)) as server, opened(server.url) as sender:
        for number in range(5):
            assert await sender.ask(b"%d" % number) == b"good"
        assert (server.connections, len(server.bodies)) == (1, 5)


async def test_lanes() -> None:
    """So many connections are open before the first request, and all of them take turns."""
    async with scripted(always(GOOD)) as server, opened(server.url, lanes=3) as sender:
        for _ in range(6):
            await sender.ask(b"")
        assert server.connections == 3


@pytest.mark.parametrize(
    ("pieces", "body"),
    [
        (
            [
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
                b"1\r\nc\r\n0\r\n\r\n",
            ],
            b"abc",
        ),
        ([b"HTTP/1.1 200 OK\r\nContent-Len", b"gth: 3\r\n\r\na", b"bc"], b"abc"),
        ([b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"], b"abc"),
        ([b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"], b""),
        ([b"HTTP/1.1 204 No Content\r\n\r\n"], b""),
        ([b"HTTP/1.1 200 OK\r\n\r\nab", b"c", b""], b"abc"),
        ([b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc", b""], b"abc"),
        ([b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc", b""], b"abc"),
    ],
    ids=[
        "chunked",
        "pieces",
        "informational",
        "empty",
        "no content",
        "until closed",
        "1.0",
        "close",
    ],
)
async def test_answers(pieces: list[bytes], body: bytes) -> None:
    """Every way in which HTTP/1.1 delimits an answer is read, and the next request works too."""
    async with scripted(always(*pieces)) as server, opened(server.url) as sender:
        assert await sender.ask(b"first") == body
        assert await sender.ask(b"second") == body


@pytest.mark.parametrize(
    ("pieces", "kind"),
    [
        ([b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy"], "status 503"),
        ([b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n"], "status 401"),
        ([b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"], "status 302"),
        ([b"SMTP ready\r\n"], PARSE),
        ([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"], PARSE),
        ([b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"], PARSE),
        ([b""], CONNECTION),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", b""], CONNECTION),
        ([b"HTTP/1.1 200 OK\r\nX-", b""], CONNECTION),
        ([b"HTTP/1.1 200 OK\r\nX: %b" % (b"x" * LONGEST_ANSWER)], TOO_LARGE),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n", TOO_LONG], TOO_LARGE),
    ],
)  # fmt: skip
async def test_failures(pieces: list[bytes], kind: str) -> None:
    """What is no good answer fails by its kind, each time anew."""
    async with scripted(always(*pieces)) as server, opened(server.url) as sender:
        for _ in range(2):
            with pytest.raises(Failed) as failed:
                await sender.ask(b"x" * 10)
            assert failed.value.kind == kind


async def test_two_answers() -> None:
    """A second answer to one request is not taken for that of the next one."""
    async with scripted(always(GOOD + GOOD.replace(b"good", b"evil"))) as server:
        async with opened(server.url) as sender:
            for _ in range(3):
                assert await sender.ask(b"") == b"good"
        assert server.connections == 3


async def test_dead_connection() -> None:
    """A connection that the server closed while it was idle is replaced."""
    async with scripted(always(GOOD)) as server, opened(server.url) as sender:
        await sender.ask(b"")
        for writer in list(server.open):
            await server.close(writer)
        assert await asyncio.wait_for(_until_good(sender), 30) == b"good"
        assert server.connections == 2


async def test_cancelled() -> None:
    """After a request that was given up the next one gets its own answer, not the late one."""
    late = asyncio.Event()

    async def answer(body: bytes) -> list[bytes]:
        if body == b"slow":
            await late.wait()
        return [b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n", body]

    async with scripted(answer) as server, opened(server.url) as sender:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(sender.ask(b"slow"), 0.05)
        late.set()
        assert await sender.ask(b"fast") == b"fast"


async def test_nobody_listens() -> None:
    """Where nobody listens, opening fails as a connection."""
    with pytest.raises(Failed) as failed:
        async with opened(f"http://127.0.0.1:{free_port()}/"):
            pass
    assert failed.value.kind == CONNECTION


async def test_tls(tmp_path: Path) -> None:
    """Over TLS answers are read too, if the given authority vouches for the server."""
    certificate, key = loopback_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    async with scripted(always(GOOD), context) as server:
        async with opened(server.url, ca=certificate) as sender:
            assert await sender.ask(b"") == b"good"
        with pytest.raises(Failed) as failed:
            async with opened(server.url):
                pass
    assert failed.value.kind == CONNECTION


@pytest.mark.parametrize(
    ("url", "head"),
    [
        ("ftp://127.0.0.1/", {}),
        ("127.0.0.1/token", {}),
        ("http://name:secret@127.0.0.1/", {}),
        ("http://127.0.0.1/a b", {}),
        ("http://127.0.0.1/", {"X-One": "two\r\nX-Three: four"}),
    ],
)
def test_unusable_endpoint(url: str, head: dict[str, str]) -> None:
    """A URL or header that cannot be sent as it is is refused, and no secret is repeated."""
    with pytest.raises(ValueError, match=r"URL") as refused:
        made(Endpoint(url, head).options(), 1)
    assert "secret" not in str(refused.value)


def test_unknown_transport() -> None:
    """A transport that is not there is refused with those that are."""
    with pytest.raises(ValueError, match="there is no transport smtp; there are http"):
        made({"transport": "smtp"}, 1)


def test_endpoint_hides_its_head() -> None:
    """Credentials among the headers are in no repr."""
    assert "secret" not in repr(Endpoint("http://127.0.0.1/", {"Authorization": "secret"}))


async def _until_good(sender: HttpSender) -> bytes:
    """The close may still be on its way: then one request meets it."""
    failures: list[str] = []
    while set(failures) <= {CONNECTION}:
        try:
            return await sender.ask(b"")
        except Failed as failed:
            failures.append(failed.kind)
    raise AssertionError(failures)

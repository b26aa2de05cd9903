"""Client certificates by the broker's own TLS: real connections, with and without one."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest

from adapters.http.app import FrontDoor
from adapters.http.listening import Listening
from adapters.settings import Http, InvalidSettings, Settings, load
from adapters.tls import CertificateUnusable, tls_context
from tests.http.presenting import INSTANCE, instance
from tests.support.caller import TIMEOUT_SECONDS
from tests.support.certificates import loopback_certificate
from tests.support.door import DRAIN_SECONDS, ID_TOKEN, Door, user_input
from tests.support.pki import HEADER, INPUT, SERVER, Holder, accept, client_context, root

NO_CERTIFICATE = "this connection has no client certificate; connect over TLS with one"


@pytest.fixture(scope="module")
def anchor() -> Holder:
    return root()


@contextlib.asynccontextmanager
async def over_tls(door: Door, anchor: Holder, folder: Path) -> AsyncIterator[Door]:
    """The same broker, behind TLS that asks for certificates of ``anchor``."""
    certificate, key = loopback_certificate(folder)
    authority, _ = anchor.files(folder, "clients")
    said = Http(tls="on", tls_certificate=certificate, tls_key=key, tls_client_ca=authority)
    parts = door.broker.components
    app = FrontDoor(parts, door.broker).application()
    listening = Listening(app, max_connections=100, drain_seconds=DRAIN_SECONDS)
    listener = socket.create_server(("127.0.0.1", 0))
    await listening.start(listener, tls_context(Settings(http=said)))
    url = f"https://127.0.0.1:{listener.getsockname()[1]}"
    try:
        yield Door(door.broker, url, door.http, door.planted)
    finally:
        await listening.stop()


async def shown(
    door: Door,
    folder: Path,
    holder: Holder | None,
    chain: Iterable[Holder] = (),
    head: Mapping[str, str] | None = None,
) -> tuple[int, str]:
    """Status and message of a translation over a connection with that certificate."""
    context = client_context(folder / "loopback.crt", holder, folder, chain)
    connector = aiohttp.TCPConnector(ssl=context, force_close=True)
    async with aiohttp.ClientSession(connector=connector) as client:
        over = Door(door.broker, door.url, client, door.planted)
        answer = await over.translate(INPUT, ID_TOKEN, instance=INSTANCE, headers=head)
        return answer.status, answer.body.get("message", "")


@pytest.fixture
async def ready(door: Door, anchor: Holder, tmp_path: Path) -> AsyncIterator[Door]:
    await door.publish(instance(certificate_header=None, offload_hosts=()))
    await accept(door, anchor)
    async with over_tls(door, anchor, tmp_path) as secure:
        yield secure


async def test_certificate_of_the_connection(ready: Door, anchor: Holder, tmp_path: Path) -> None:
    """Whoever connects with a certificate of the authority is its subject."""
    assert await shown(ready, tmp_path, anchor.issue("alice")) == (200, "")
    assert ready.audit()[-1]["principal"] == "x509://partner#CN=alice"


async def test_chain_of_the_connection(ready: Door, anchor: Holder, tmp_path: Path) -> None:
    """Intermediates that the client sends complete its path."""
    middle = anchor.issue("Middle", authority=True, usage=None)
    assert await shown(ready, tmp_path, middle.issue("alice"), [middle]) == (200, "")


async def test_without_a_certificate(ready: Door, anchor: Holder, tmp_path: Path) -> None:
    """A connection without one is served, but is nobody; a header of that name changes nothing."""
    assert await shown(ready, tmp_path, None) == (400, NO_CERTIFICATE)
    head = anchor.issue("alice").head()
    assert await shown(ready, tmp_path, None, head=head) == (400, NO_CERTIFICATE)
    context = client_context(tmp_path / "loopback.crt", None, tmp_path)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as client:
        over = Door(ready.broker, ready.url, client, ready.planted)
        assert (await over.translate(user_input(), ID_TOKEN)).status == 200


async def test_certificates_that_tls_refuses(ready: Door, anchor: Holder, tmp_path: Path) -> None:
    """What does not hang from tls_client_ca, has expired or is for servers gets no answer."""
    refused = (
        root("Other").issue("alice"),
        anchor.issue("alice", ends=-1),
        anchor.issue("alice", usage=SERVER),
    )
    for holder in refused:
        with pytest.raises(aiohttp.ClientError):
            await shown(ready, tmp_path, holder)


async def test_realm_has_the_last_word(ready: Door, anchor: Holder, tmp_path: Path) -> None:
    """A certificate that TLS accepts is held against the realm's authorities all the same."""
    other = root("Other")
    authorities = ready.broker.components.authorities
    await authorities.delete("/", "partner")
    await accept(ready, other)
    status, message = await shown(ready, tmp_path, anchor.issue("alice"))
    assert (status, "vouches for" in message) == (401, True)


async def test_header_is_read_where_the_instance_names_one(
    ready: Door, anchor: Holder, tmp_path: Path
) -> None:
    """An instance behind an offloader takes the header alone, not that connection's certificate."""
    await ready.publish(instance())
    alice = anchor.issue("alice")
    status, message = await shown(ready, tmp_path, alice)
    assert (status, f"the header {HEADER} is missing" in message) == (400, True)
    bob = anchor.issue("bob")
    assert await shown(ready, tmp_path, alice, head=bob.head()) == (200, "")
    assert ready.audit()[-1]["principal"] == "x509://partner#CN=bob"


async def test_in_clear(door: Door, anchor: Holder) -> None:
    """Without TLS there is no certificate."""
    await door.publish(instance(certificate_header=None, offload_hosts=()))
    await accept(door, anchor)
    answer = await door.translate(INPUT, ID_TOKEN, instance=INSTANCE)
    assert (answer.status, answer.body["message"]) == (400, NO_CERTIFICATE)


def test_settings_that_do_not_go_together(tmp_path: Path) -> None:
    """tls_client_ca without our own TLS is a mistake, and a file that is no PEM is said to be."""
    path = tmp_path / "remint.toml"
    path.write_text('[http]\ntls_client_ca = "clients.pem"\n')
    with pytest.raises(InvalidSettings, match="tls_client_ca"):
        load(path)
    certificate, key = loopback_certificate(tmp_path)
    for wrong in (tmp_path / "missing.pem", key):
        said = Http(tls="on", tls_certificate=certificate, tls_key=key, tls_client_ca=wrong)
        with pytest.raises(CertificateUnusable, match="tls_client_ca"):
            tls_context(Settings(http=said))


def test_how_python_hands_out_the_chain() -> None:
    """The chain of a connection is where ``adapters.tls.chain_of`` looks for it."""
    if sys.version_info >= (3, 13):
        assert hasattr(ssl.SSLObject, "get_unverified_chain")
    else:
        inside = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), False, "x")
        assert hasattr(inside._sslobj, "get_unverified_chain")  # type: ignore[attr-defined]


def _asked_twice(door: Door, context: ssl.SSLContext) -> list[int]:
    """Statuses of a request over a connection, and over one that offers to resume its session."""
    place = urlsplit(door.url)
    session: ssl.SSLSession | None = None
    statuses = []
    for _ in range(2):
        plain = socket.create_connection((place.hostname, place.port), timeout=TIMEOUT_SECONDS)
        with context.wrap_socket(plain, server_hostname=place.hostname, session=session) as secure:
            connection = http.client.HTTPConnection(place.netloc)
            connection.sock = secure
            body = json.dumps({"input_token_state": INPUT, "output_token_state": ID_TOKEN})
            connection.request("POST", f"/rest-sts/{INSTANCE}?_action=translate", body)
            answer = connection.getresponse()
            answer.read()
            statuses.append(answer.status)
            session = secure.session
    return statuses


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_chain_of_a_connection_that_would_resume(
    ready: Door, anchor: Holder, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    """A client that offers to resume a session is believed with its chain all the same."""
    middle = anchor.issue("Middle", authority=True, usage=None)
    context = client_context(tmp_path / "loopback.crt", middle.issue("alice"), tmp_path, [middle])
    context.maximum_version = version
    assert await asyncio.to_thread(_asked_twice, ready, context) == [200, 200]

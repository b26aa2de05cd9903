"""The header of a TLS offloader: who may send it, in which forms, and what is no header at all."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import http.client
import json
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus, urlsplit

import pytest

from tests.http.presenting import INSTANCE, ask, instance
from tests.support import door as doors
from tests.support.door import ID_TOKEN, Answer, Door
from tests.support.pki import HEADER, INPUT, Holder, accept, root
from tests.support.planted import Planted

OFFLOADER = "192.0.2.7"
NOT_TRUSTED_HOST = "this host is not among those whose certificate header is believed"
BODY = json.dumps({"input_token_state": INPUT, "output_token_state": ID_TOKEN}).encode()


@pytest.fixture(scope="module")
def anchor() -> Holder:
    return root()


@pytest.fixture(scope="module")
def alice(anchor: Holder) -> Holder:
    return anchor.issue("alice")


@pytest.fixture
async def ready(door: Door, anchor: Holder) -> Door:
    await door.publish(instance())
    await accept(door, anchor)
    return door


async def send(door: Door, **head: str) -> Answer:
    headers = {name.replace("_", "-"): value for name, value in head.items()}
    return await door.translate(INPUT, ID_TOKEN, instance=INSTANCE, headers=headers)


# -- who may send it -----------------------------------------------------------------------------

HOSTS = {
    "address": ("127.0.0.1",),
    "network": ("10.0.0.0/8", "127.0.0.0/8"),
    "address, as IPv6 writes it": ("::ffff:127.0.0.1",),
    "network, as IPv6 writes it": ("::ffff:127.0.0.0/104",),
    "any": ("any",),
}


@pytest.mark.parametrize("case", HOSTS)
async def test_trusted_hosts(door: Door, anchor: Holder, alice: Holder, case: str) -> None:
    """An offloader is believed by its address, its network, or because any is."""
    await door.publish(instance(offload_hosts=HOSTS[case]))
    await accept(door, anchor)
    assert (await ask(door, alice)).status == 200


@pytest.mark.parametrize("value", [None, "", "not base64!", "good", "twice"])
async def test_untrusted_host_is_refused_before_its_header_is_read(
    door: Door, anchor: Holder, alice: Holder, value: str | None
) -> None:
    """From any other address the answer is the same, whatever the header holds: 400."""
    await door.publish(instance(offload_hosts=(OFFLOADER, "::1", "fe80::/10")))
    await accept(door, anchor)
    head = {} if value is None else {HEADER: alice.base64 if value == "good" else value}
    if value == "twice":
        head["X_Client_Cert"] = alice.base64
    answer = await door.translate(INPUT, ID_TOKEN, instance=INSTANCE, headers=head)
    assert (answer.status, answer.body["message"]) == (400, NOT_TRUSTED_HOST)


async def test_forwarded_for_of_a_stranger_counts_for_nothing(
    door: Door, anchor: Holder, alice: Holder
) -> None:
    """Nobody becomes an offloader by saying so."""
    await door.publish(instance(offload_hosts=(OFFLOADER,)))
    await accept(door, anchor)
    answer = await ask(door, alice, **{"X-Forwarded-For": OFFLOADER})
    assert (answer.status, answer.body["message"]) == (400, NOT_TRUSTED_HOST)


@contextlib.asynccontextmanager
async def behind_proxy(
    tmp_path: Path, planted: Planted, anchor: Holder, *hosts: str
) -> AsyncIterator[Door]:
    """A broker to which a trusted proxy on this machine passes requests on."""
    proxies: dict[str, Any] = {"trusted_proxies": ["127.0.0.1"]}
    async with doors.opened(tmp_path / "state", planted, http=proxies) as door:
        await door.publish(instance(offload_hosts=hosts))
        await accept(door, anchor)
        yield door


async def test_offloader_before_a_trusted_proxy(
    tmp_path: Path, planted: Planted, anchor: Holder, alice: Holder
) -> None:
    """Of a chain of proxies each vouches for the one before it, IPv4 in IPv6's clothes too; what a
    client put before that is not believed."""
    async with behind_proxy(tmp_path, planted, anchor, OFFLOADER) as door:
        for hops, status in (
            (OFFLOADER, 200),
            (f"203.0.113.9, ::ffff:{OFFLOADER}", 200),
            (f"{OFFLOADER}, 203.0.113.9", 400),
            ("203.0.113.9", 400),
        ):
            answer = await ask(door, alice, **{"X-Forwarded-For": hops})
            assert answer.status == status, hops


# -- its forms -----------------------------------------------------------------------------------


def forms(alice: Holder) -> dict[str, str]:
    wrapped = textwrap.wrap(alice.base64, 64)
    pem = alice.pem.strip()
    return {
        "base64": alice.base64,
        "base64 with blanks": " ".join(wrapped),
        "base64 with tabs": "\t".join(wrapped),
        "PEM with blanks": pem.replace("\n", " "),
        "PEM with tabs": pem.replace("\n", "\t"),
        "PEM in one": pem.replace("\n", ""),
        "URL-encoded PEM": quote(alice.pem, safe=""),
        "URL-encoded PEM, sparing": quote(alice.pem, safe="+/="),
        "URL-encoded PEM, as forms have it": quote_plus(alice.pem),
        "RFC 9440": f":{alice.base64}:",
    }


FORMS = tuple(forms(root("any")))


@pytest.mark.parametrize("form", FORMS)
async def test_forms(ready: Door, alice: Holder, form: str) -> None:
    """Every form in which offloaders write a certificate is read."""
    answer = await send(ready, **{HEADER: forms(alice)[form]})
    assert answer.status == 200, answer.text


async def test_rfc_9440_chain(door: Door, anchor: Holder) -> None:
    """Client-Cert-Chain completes the path of Client-Cert, and of no other header."""
    middle = anchor.issue("Middle", authority=True, usage=None)
    alice = middle.issue("alice")
    await accept(door, anchor)
    for name, status in (("Client-Cert", 200), (HEADER, 401)):
        await door.publish(instance(certificate_header=name))
        head = {
            name: f":{alice.base64}:",
            "Client-Cert-Chain": f":{middle.base64}:, :{anchor.base64}:",
        }
        answer = await door.translate(INPUT, ID_TOKEN, instance=INSTANCE, headers=head)
        assert answer.status == status, answer.text


WRONG = {
    "missing": (None, "is missing"),
    "empty": ("", "is not base64"),
    "not base64": ("~~~", "is not base64"),
    "no certificate": (base64.b64encode(b"x" * 64).decode(), "is no X.509 certificate"),
    "PEM of something else": (
        "-----BEGIN PRIVATE KEY----- AAAA -----END PRIVATE KEY-----",
        "is no PEM certificate",
    ),
    "PEM cut short": ("-----BEGIN CERTIFICATE----- AAAA", "is no PEM certificate"),
    "PEM with more": (
        "-----BEGIN CERTIFICATE----- AAAA -----END CERTIFICATE----- x",
        "is no PEM certificate",
    ),
    "RFC 9440 cut short": (":AAAA", "as RFC 9440 does"),
    "too large": (base64.b64encode(b"0" * 4000).decode(), "is no X.509 certificate"),
    "too many": (
        "-----BEGIN CERTIFICATE----- AAAA -----END CERTIFICATE----- " * 10,
        "up to 8 certificates",
    ),
}


@pytest.mark.parametrize("case", WRONG)
async def test_wrong_values(ready: Door, case: str) -> None:
    """What is no certificate is a 400 with a sentence, and nothing of it is said again."""
    value, sentence = WRONG[case]
    answer = await send(ready, **({} if value is None else {HEADER: value}))
    assert answer.status == 400
    assert sentence in answer.body["message"]


async def test_certificate_beside_another_type_of_input(ready: Door, alice: Holder) -> None:
    """The header counts for X509 alone: garbage in it troubles nobody else."""
    given = doors.user_input()
    for value in ("garbage", alice.base64):
        answer = await ready.translate(given, ID_TOKEN, instance=INSTANCE, headers={HEADER: value})
        assert answer.status == 200, answer.text


# -- smuggled ones -------------------------------------------------------------------------------


def raw(door: Door, *lines: tuple[str, str]) -> int:
    """The status of a request with exactly these header lines."""
    place = urlsplit(door.url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port or 0, timeout=30)
    connection.putrequest("POST", f"/rest-sts/{INSTANCE}?_action=translate")
    for name, value in (*lines, ("Content-Length", str(len(BODY)))):
        connection.putheader(name, value)
    connection.endheaders(BODY)
    try:
        return connection.getresponse().status
    finally:
        connection.close()


async def test_smuggled_headers(ready: Door, anchor: Holder, alice: Holder) -> None:
    """A second header, one under a name that some servers take for the same, one that Connection
    lists and one over two lines are refused; the plain one is not."""
    good, other = alice.base64, anchor.issue("mallory").base64
    cases = {
        ((HEADER, good),): 200,
        ((HEADER, good), (HEADER, other)): 400,
        ((HEADER, good), ("X_Client_Cert", other)): 400,
        (("X_Client_Cert", good),): 400,
        ((HEADER, good), ("x-client_cert", "")): 400,
        ((HEADER, good), ("Connection", f"close, {HEADER}")): 400,
        ((HEADER, f"{good[:60]}\r\n {good[60:]}"),): 400,
    }
    for lines, status in cases.items():
        assert await asyncio.to_thread(raw, ready, *lines) == status, [name for name, _ in lines]

"""Attacks on client certificates as input: by their holders, and by who stands on the way to lists
and responders."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from adapters.certificates import lists, revocation
from tests.http.presenting import ask, claims_of, instance
from tests.support.door import ID_TOKEN, REALM, Door
from tests.support.ocsp import Responder, responding
from tests.support.pki import HEADER, INPUT, Holder, accept, document, root

NOT_TRUSTED = "no certificate authority of this realm vouches for this client certificate"
X400_ADDRESS = bytes.fromhex("3004a3023000")
EMPTY = bytes.fromhex("3000")
ODD = {
    "x400 address": ("2.5.29.17", X400_ADDRESS),
    "edi party": ("2.5.29.17", bytes.fromhex("3004a5023000")),
    "issuer's names": ("2.5.29.18", X400_ADDRESS),
    "no feature": ("1.3.6.1.5.5.7.1.24", EMPTY),
    "garbage": ("2.5.29.31", b"\0"),
}


@pytest.fixture(scope="module")
def anchor() -> Holder:
    return root()


@pytest.fixture
async def responder(anchor: Holder) -> AsyncIterator[Responder]:
    async with responding(anchor) as running:
        yield running


@pytest.fixture
async def ready(door: Door) -> Door:
    await door.publish(instance())
    return door


def odd(case: str) -> tuple[x509.ExtensionType, bool]:
    number, value = ODD[case]
    return x509.UnrecognizedExtension(x509.ObjectIdentifier(number), value), False


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists are old at once, and fetched again beside each request."""
    monkeypatch.setattr(lists, "FRESH_SECONDS", 0.0)
    monkeypatch.setattr(lists, "AGAIN_SECONDS", 0.0)


# -- certificates --------------------------------------------------------------------------------


@pytest.mark.parametrize("case", ODD)
async def test_certificate_that_a_library_cannot_read(
    ready: Door, anchor: Holder, case: str
) -> None:
    """A certificate with an extension that the library chokes on is the client's mistake."""
    await accept(ready, anchor)
    answer = await ask(ready, anchor.issue("alice", extensions=[odd(case)]))
    assert (answer.status, "no X.509 certificate" in answer.body["message"]) == (400, True)


@pytest.mark.parametrize("case", ["x400 address", "no feature"])
async def test_anchor_that_a_library_cannot_read(door: Door, case: str) -> None:
    """The same in an anchor is the administrator's, and is named."""
    bad = root("Odd", extensions=[odd(case)])
    path = "/json/certificate-authorities/odd"
    answer = await door.request("PUT", path, body=document(bad), headers=await door.admin())
    assert (answer.status, answer.body["detail"][0]["key"]) == (400, "anchors")


async def test_client_cannot_choose_its_authority(ready: Door) -> None:
    """A client of one authority is not that of another which stands further up, whatever chain it
    sends along: the nearest one's rules count."""
    corp = root("Corp")
    partner = root("Partner")
    crossed = corp.issue(partner.certificate.subject, key=partner.key, authority=True)
    await accept(ready, corp, name="a-corp", subject="cn", link_local_users=True)
    await accept(ready, partner, name="b-partner", subject="cn")
    admin = partner.issue("admin")
    chain = {HEADER: (admin.pem + crossed.pem).replace("\n", " ")}
    answer = await ready.translate(INPUT, ID_TOKEN, instance="from-certificates", headers=chain)
    assert (await claims_of(ready, answer))["sub"] == "x509://b-partner#admin"
    [record] = await ready.tokens()
    assert record.principal == "x509://b-partner#admin"


# -- what an inner realm's administrator may have asked ------------------------------------------


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("ocsp_url", "http://127.0.0.1:6379/"),
        ("ocsp_url", "http://169.254.169.254/latest"),
        ("ocsp_url", "http://0.0.0.0/"),
        ("ocsp_url", "http://[::ffff:127.0.0.1]/"),
        ("crl_urls", ["http://crl.example.com/a", "http://localhost:15672/"]),
        ("revocation_hosts", ["ocsp.example.com", "127.0.0.1:8080"]),
        ("revocation_hosts", ["[::1]"]),
        ("revocation_hosts", ["::1"]),
        ("revocation_hosts", ["a.localhost"]),
    ],
)
async def test_administrator_of_a_realm_points_at_this_machine(
    door: Door, anchor: Holder, key: str, value: Any
) -> None:
    """Who administers an inner realm cannot have the broker ask what listens on its machine; the
    root realm's administrator can."""
    body = document(anchor, revocation="hard", **{key: value})
    path, head = f"/json{REALM}/certificate-authorities/near", await door.realm_admin()
    answer = await door.request("PUT", path, body=body, headers=head)
    assert (answer.status, answer.body["detail"][0]["key"]) == (400, key), answer.text
    path = "/json/certificate-authorities/near"
    answer = await door.request("PUT", path, body=body, headers=await door.admin())
    assert answer.status == 201, answer.text


async def test_name_that_leads_to_this_machine(
    ready: Door, anchor: Holder, responder: Responder
) -> None:
    """A host whose name is only resolved to this machine is not asked, by lists or by OCSP."""
    alice = anchor.issue("alice")
    responder.knows(alice)
    responder.lists["/list.crl"] = anchor.crl().public_bytes(Encoding.DER)
    disguised = responder.url.replace("127.0.0.1", "0x7f000001")
    for places in ({"ocsp_url": disguised}, {"crl_urls": [disguised + "/list.crl"]}):
        await accept(ready, anchor, revocation="hard", **places)
        assert (await ask(ready, alice)).status == 503
    assert (responder.asked, responder.fetched) == (0, [])


# -- lists and responses -------------------------------------------------------------------------


async def kept_against(
    ready: Door,
    anchor: Holder,
    responder: Responder,
    first: bytes,
    second: bytes,
    shown: Holder,
    before: int,
    after: int | None = None,
) -> None:
    """A certificate is judged by the first list, and, once the second was fetched, as ``after``
    says; no entry means as before."""
    responder.lists["/list.crl"] = first
    await accept(ready, anchor, revocation="hard", crl_urls=[responder.url + "/list.crl"])
    assert (await ask(ready, shown)).status == before
    responder.lists["/list.crl"] = second
    async with asyncio.timeout(30):
        while len(responder.fetched) < 4:  # one at a time: then the second one was read
            assert (await ask(ready, shown)).status in (before, after or before)
    assert (await ask(ready, shown)).status == (after or before)


@pytest.mark.usefixtures("impatient")
async def test_forged_list_takes_no_lists_place(
    ready: Door, anchor: Holder, responder: Responder
) -> None:
    """A list that somebody else signed does not take the place of the issuer's."""
    alice, mallory = anchor.issue("alice"), anchor.issue("mallory")
    good = anchor.crl(mallory).public_bytes(Encoding.DER)
    forged = root().crl().public_bytes(Encoding.DER)
    await kept_against(ready, anchor, responder, good, forged, mallory, 401)
    assert (await ask(ready, alice)).status == 200


@pytest.mark.usefixtures("impatient")
async def test_older_list_takes_no_lists_place(
    ready: Door, anchor: Holder, responder: Responder
) -> None:
    """Nor does the issuer's own list of before, as long as that may still be sent again."""
    mallory = anchor.issue("mallory")
    newer = anchor.crl(mallory, begins=-60).public_bytes(Encoding.DER)
    older = anchor.crl(begins=-600).public_bytes(Encoding.DER)
    await kept_against(ready, anchor, responder, newer, older, mallory, 401)


@pytest.mark.usefixtures("impatient")
async def test_newer_list_takes_the_place(
    ready: Door, anchor: Holder, responder: Responder
) -> None:
    """The issuer's next list does."""
    mallory = anchor.issue("mallory")
    older = anchor.crl(begins=-600).public_bytes(Encoding.DER)
    newer = anchor.crl(mallory, begins=-60).public_bytes(Encoding.DER)
    await kept_against(ready, anchor, responder, older, newer, mallory, 200, 401)


@pytest.mark.parametrize("part", ["extension", "name of the issuer", "date of an entry"])
async def test_list_that_a_library_cannot_read(
    ready: Door, anchor: Holder, responder: Responder, part: str
) -> None:
    """A list with a part that the library chokes on is none, as is one that an administrator
    writes: asking again may help the client, and the administrator hears what is wrong."""
    mallory = anchor.issue("mallory")
    bad = anchor.crl(mallory).public_bytes(Encoding.DER)
    if part == "extension":
        bad = anchor.crl(extensions=[odd("issuer's names")]).public_bytes(Encoding.DER)
    if part == "name of the issuer":
        bad = bad.replace(b"Partner Root", b"Partner\xff\xfeoot")
    if part == "date of an entry":
        serial = mallory.certificate.serial_number
        at = bad.index(serial.to_bytes((serial.bit_length() + 8) // 8, "big"))
        bad = bad[: at + 24] + b"9" + bad[at + 25 :]
    responder.lists["/list.crl"] = bad
    await accept(ready, anchor, revocation="hard", crl_urls=[responder.url + "/list.crl"])
    assert (await ask(ready, anchor.issue("alice"))).status == 503
    text = ssl.DER_cert_to_PEM_cert(bad).replace("CERTIFICATE", "X509 CRL")
    body = document(anchor, revocation="hard", crls=text)
    path = "/json/certificate-authorities/partner"
    answer = await ready.request("PUT", path, body=body, headers=await ready.admin())
    assert (answer.status, answer.body["detail"][0]["key"]) == (400, "crls")


async def test_older_response_does_not_count(
    ready: Door, anchor: Holder, responder: Responder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A response from before the certificate was revoked cannot be sent again after that."""
    monkeypatch.setattr(revocation, "VERDICT_SECONDS", 0.0)
    mallory = anchor.issue("mallory")
    responder.knows(mallory)
    responder.revoked.add(mallory.certificate.serial_number)
    await accept(ready, anchor, revocation="hard", ocsp_url=responder.url + "/ocsp")
    assert (await ask(ready, mallory)).status == 401
    responder.revoked.clear()
    responder.begins = -500
    assert (await ask(ready, mallory)).status == 503
    responder.begins = -1
    assert (await ask(ready, mallory)).status == 200


@pytest.mark.parametrize("by", ["ocsp_url", "crl_urls"])
async def test_slow_place_does_not_take_up_the_broker(
    ready: Door, anchor: Holder, responder: Responder, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    """While a responder or list does not come, only so many requests wait for it; the others hear
    at once that nobody can be asked."""
    monkeypatch.setattr(lists, "MAX_WAITING", 2)
    clients = [anchor.issue(name) for name in ("a", "b", "c")]
    responder.knows(*clients)
    responder.lists["/list.crl"] = anchor.crl().public_bytes(Encoding.DER)
    responder.ready.clear()
    url = responder.url
    places: dict[str, Any] = {"ocsp_url": url + "/ocsp", "crl_urls": [url + "/list.crl"]}
    await accept(ready, anchor, revocation="hard", **{by: places[by]})
    waiting = [asyncio.create_task(ask(ready, each)) for each in clients]
    done, pending = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    assert [task.result().status for task in done] == [503]
    responder.ready.set()
    assert [answer.status for answer in await asyncio.gather(*pending)] == [200, 200]

"""Revoked client certificates by OCSP: who may answer, and what an answer must say to count."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID

from tests.http.presenting import ask, instance
from tests.support.door import Door
from tests.support.ocsp import Responder, responding
from tests.support.pki import OCSP_SIGNING, Holder, accept, pem_list, root

REVOKED = "this client certificate, or one in its path, was revoked"
NOT_KNOWN = "whether this client certificate was revoked is not known to its authority"


@pytest.fixture
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


async def verdict(door: Door, holder: Holder) -> int:
    return (await ask(door, holder)).status


async def by_ocsp(door: Door, anchor: Holder, responder: Responder, **changes: Any) -> None:
    said = {"revocation": "hard", "ocsp_url": responder.url + "/ocsp", **changes}
    await accept(door, anchor, **said)


async def test_responder(ready: Door, anchor: Holder, responder: Responder) -> None:
    """Good is accepted, revoked and unknown are refused, each after one question that is then kept
    for as long as the answer counts."""
    alice, mallory, nobody = (anchor.issue(name) for name in ("alice", "mallory", "nobody"))
    responder.knows(alice, mallory, nobody)
    responder.revoked.add(mallory.certificate.serial_number)
    responder.unknown.add(nobody.certificate.serial_number)
    await by_ocsp(ready, anchor, responder)
    for _ in range(2):
        assert await verdict(ready, alice) == 200
        assert (await ask(ready, mallory)).body["message"] == REVOKED
        answer = await ask(ready, nobody)
        assert (answer.status, answer.body["message"]) == (401, NOT_KNOWN)
    assert responder.asked == 3


async def test_one_question_for_many(ready: Door, anchor: Holder, responder: Responder) -> None:
    """Requests with one certificate that come together ask once."""
    alice = anchor.issue("alice")
    responder.knows(alice)
    await by_ocsp(ready, anchor, responder)
    found = await asyncio.gather(*(verdict(ready, alice) for _ in range(8)))
    assert (found, responder.asked) == ([200] * 8, 1)


async def test_soft_accepts_the_unknown_and_never_the_revoked(
    ready: Door, anchor: Holder, responder: Responder
) -> None:
    """With soft what nobody knows is accepted; what is revoked is not."""
    alice, mallory = anchor.issue("alice"), anchor.issue("mallory")
    responder.knows(alice, mallory)
    responder.unknown.add(alice.certificate.serial_number)
    responder.revoked.add(mallory.certificate.serial_number)
    await by_ocsp(ready, anchor, responder, revocation="soft")
    assert [await verdict(ready, each) for each in (alice, mallory)] == [200, 401]


async def test_delegated_responder(ready: Door, anchor: Holder, responder: Responder) -> None:
    """Somebody whom the issuer certified for OCSP may answer in its place."""
    alice = anchor.issue("alice")
    responder.knows(alice)
    responder.by = anchor.issue("responder", usage=OCSP_SIGNING)
    responder.certificates = [responder.by]
    await by_ocsp(ready, anchor, responder)
    assert await verdict(ready, alice) == 200


def _spoiled(responder: Responder, anchor: Holder, case: str) -> None:
    other = root("Other Root")
    if case == "delegate of another issuer":
        responder.by = other.issue("responder", usage=OCSP_SIGNING)
    if case == "delegate that may not":
        responder.by = anchor.issue("responder")
    if case == "expired delegate":
        responder.by = anchor.issue("responder", usage=OCSP_SIGNING, ends=-1)
    if case == "another issuer":
        responder.by = other
    if responder.by is not None:
        responder.certificates = [responder.by]
    if case == "about another certificate":
        responder.swap = anchor.issue("bob")
    if case == "out of date":
        responder.begins, responder.ends = -120, -60
    if case == "old and without an end":
        responder.begins, responder.ends = -7200, None
    if case == "from the future":
        responder.begins = 500
    if case == "not knowing":
        responder.holders.clear()
    if case == "garbage":
        responder.broken = b"garbage"
    if case == "too large":
        responder.broken = bytes(64 * 1024 + 1)
    if case == "500":
        responder.status = 500


SPOILED = (
    *("delegate of another issuer", "delegate that may not", "expired delegate"),
    *("another issuer", "about another certificate", "out of date", "old and without an end"),
    *("from the future", "not knowing", "garbage", "too large", "500"),
)


@pytest.mark.parametrize("case", SPOILED)
async def test_responses_that_do_not_count(
    ready: Door, anchor: Holder, responder: Responder, case: str
) -> None:
    """A response by the wrong one, of another time or about something else clears nobody."""
    alice = anchor.issue("alice")
    responder.knows(alice)
    _spoiled(responder, anchor, case)
    await by_ocsp(ready, anchor, responder)
    assert await verdict(ready, alice) == 503
    assert responder.asked == 1
    await accept(ready, anchor, revocation="soft", ocsp_url=responder.url + "/ocsp")
    assert await verdict(ready, alice) == 200


async def test_place_in_the_certificate(ready: Door, anchor: Holder, responder: Responder) -> None:
    """The responder that a certificate names is asked if the realm lists its host."""
    place = x509.UniformResourceIdentifier(responder.url + "/ocsp")
    access = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, place)
    extension = (x509.AuthorityInformationAccess([access]), False)
    alice = anchor.issue("alice", extensions=[extension])
    responder.knows(alice)
    await accept(ready, anchor, revocation="hard", revocation_hosts=["ocsp.example.com"])
    assert (await verdict(ready, alice), responder.asked) == (503, 0)
    host = responder.url.removeprefix("http://")
    await accept(ready, anchor, revocation="hard", revocation_hosts=[host])
    assert (await verdict(ready, alice), responder.asked) == (200, 1)


async def test_lists_beside_a_responder(ready: Door, anchor: Holder, responder: Responder) -> None:
    """What any list revokes stays revoked whatever a responder says; a list serves where the
    responder does not."""
    alice, mallory = anchor.issue("alice"), anchor.issue("mallory")
    responder.knows(alice, mallory)
    crls = pem_list(anchor.crl(mallory))
    await by_ocsp(ready, anchor, responder, crls=crls)
    assert [await verdict(ready, each) for each in (alice, mallory)] == [200, 401]
    responder.status = 500
    bob = anchor.issue("bob")
    assert await verdict(ready, bob) == 200


async def test_refusal_that_may_pass_is_not_stored(
    ready: Door, anchor: Holder, responder: Responder
) -> None:
    """A request that found nobody to ask can be sent again with its key, and then succeeds."""
    alice = anchor.issue("alice")
    await accept(ready, anchor, revocation="hard", crl_urls=[responder.url + "/late.crl"])
    head = {"Idempotency-Key": "patient"}
    assert (await ask(ready, alice, **head)).status == 503
    await accept(ready, anchor, revocation="hard", crls=pem_list(anchor.crl()))
    assert (await ask(ready, alice, **head)).status == 200

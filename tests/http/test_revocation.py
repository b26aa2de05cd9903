"""Revoked client certificates by list: whose lists count, and what happens when there is none."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from adapters.certificates.files import import_file
from tests.http.presenting import ask, instance
from tests.support.door import Door
from tests.support.ocsp import Responder, responding
from tests.support.pki import Holder, accept, key_usage, pem_list, root

REVOKED = "this client certificate, or one in its path, was revoked"


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


async def test_list_in_the_document(ready: Door, anchor: Holder) -> None:
    """A certificate on its issuer's list is refused, one that is not is accepted."""
    alice, mallory = anchor.issue("alice"), anchor.issue("mallory")
    await accept(ready, anchor, revocation="hard", crls=pem_list(anchor.crl(mallory)))
    assert await verdict(ready, alice) == 200
    answer = await ask(ready, mallory)
    assert (answer.status, answer.body["message"]) == (401, REVOKED)


async def test_revoked_intermediate(ready: Door, anchor: Holder) -> None:
    """Whoever hangs from a revoked certificate is refused."""
    good, bad = (anchor.issue(name, authority=True, usage=None) for name in ("Good", "Bad"))
    lists = [anchor.crl(bad), good.crl(), bad.crl()]
    await accept(
        ready,
        anchor,
        intermediates=good.pem + bad.pem,
        revocation="hard",
        crls="".join(map(pem_list, lists)),
    )
    assert await verdict(ready, good.issue("alice")) == 200
    answer = await ask(ready, bad.issue("alice"))
    assert (answer.status, answer.body["message"]) == (401, REVOKED)


async def test_list_by_url_is_kept(ready: Door, anchor: Holder, responder: Responder) -> None:
    """A list is fetched once and serves until its successor is due, DER or PEM."""
    alice, mallory = anchor.issue("alice"), anchor.issue("mallory")
    for number, encoding in enumerate((Encoding.DER, Encoding.PEM)):
        path = f"/{number}.crl"
        responder.lists[path] = anchor.crl(mallory).public_bytes(encoding)
        await accept(ready, anchor, revocation="hard", crl_urls=[responder.url + path])
        assert [await verdict(ready, each) for each in (alice, mallory, alice)] == [200, 401, 200]
        assert responder.fetched.count(path) == 1


async def test_list_in_a_file(ready: Door, anchor: Holder, tmp_path: Path) -> None:
    """A list in a file that a file of authorities names is read from there."""
    (tmp_path / "root.pem").write_text(anchor.pem)
    mallory = anchor.issue("mallory")
    (tmp_path / "root.crl").write_text(pem_list(anchor.crl(mallory)))
    (tmp_path / "a.toml").write_text(
        '[[authority]]\nname = "partner"\nanchors_file = "root.pem"\ncrl_files = ["root.crl"]\n'
    )
    assert await import_file(tmp_path / "a.toml", ready.broker.components.authorities) == 1
    assert await verdict(ready, anchor.issue("alice")) == 200
    assert await verdict(ready, mallory) == 401


async def test_distribution_point(ready: Door, anchor: Holder, responder: Responder) -> None:
    """The place that a certificate itself names counts if the realm lists its host, else nobody is
    asked there."""
    place = x509.UniformResourceIdentifier(responder.url + "/list.crl")
    points = x509.CRLDistributionPoints([x509.DistributionPoint([place], None, None, None)])
    alice = anchor.issue("alice", extensions=[(points, False)])
    responder.lists["/list.crl"] = anchor.crl().public_bytes(Encoding.DER)
    host = responder.url.removeprefix("http://")
    await accept(ready, anchor, revocation="hard", revocation_hosts=["crl.example.com"])
    assert await verdict(ready, alice) == 503
    await accept(ready, anchor, revocation="hard", revocation_hosts=["127.0.0.1"])
    assert await verdict(ready, alice) == 503
    assert responder.fetched == []
    await accept(ready, anchor, revocation="hard", revocation_hosts=[host])
    assert await verdict(ready, alice) == 200
    assert responder.fetched == ["/list.crl"]


def _point(**changes: Any) -> tuple[x509.ExtensionType, bool]:
    said: dict[str, Any] = {
        "full_name": None,
        "relative_name": None,
        "only_contains_user_certs": False,
        "only_contains_ca_certs": False,
        "only_some_reasons": None,
        "indirect_crl": False,
        "only_contains_attribute_certs": False,
        **changes,
    }
    return x509.IssuingDistributionPoint(**said), True


def _useless(anchor: Holder, case: str) -> x509.CertificateRevocationList:
    place = [x509.UniformResourceIdentifier("http://elsewhere.example.com/x.crl")]
    if case == "of another issuer":
        return root("Other Root").crl()
    if case == "of a namesake":
        return root().crl()
    if case == "out of date":
        return anchor.crl(begins=-120, ends=-60)
    if case == "from the future":
        return anchor.crl(begins=600, ends=1200)
    if case == "for authorities":
        return anchor.crl(extensions=[_point(only_contains_ca_certs=True)])
    return anchor.crl(extensions=[_point(full_name=place)])


USELESS = (
    "of another issuer",
    "of a namesake",
    "out of date",
    "from the future",
    "for authorities",
    "of another place",
)


@pytest.mark.parametrize("case", USELESS)
async def test_lists_that_say_nothing(ready: Door, anchor: Holder, case: str) -> None:
    """A list that is not the issuer's, of this time and for such certificates clears nobody: with
    hard the answer is 503, with soft the certificate is accepted."""
    useless = pem_list(_useless(anchor, case))
    await accept(ready, anchor, revocation="hard", crls=useless)
    answer = await ask(ready, anchor.issue("alice"))
    assert (answer.status, "Retry-After" in answer.headers) == (503, True)
    await accept(ready, anchor, revocation="soft", crls=useless)
    assert await verdict(ready, anchor.issue("alice")) == 200


async def test_issuer_that_may_not_sign_lists(ready: Door) -> None:
    """A list by an issuer whose key usage does not include lists says nothing."""
    anchor = root(extensions=[(key_usage("key_cert_sign"), True)])
    await accept(ready, anchor, revocation="hard", crls=pem_list(anchor.crl()))
    assert await verdict(ready, anchor.issue("alice")) == 503


@pytest.mark.parametrize(
    "extension",
    [
        (x509.DeltaCRLIndicator(1), True),
        _point(indirect_crl=True),
        _point(only_some_reasons=frozenset([x509.ReasonFlags.key_compromise])),
    ],
    ids=["delta", "indirect", "some reasons"],
)
async def test_lists_that_are_not_supported(
    ready: Door, anchor: Holder, responder: Responder, extension: tuple[Any, bool]
) -> None:
    """A delta list, an indirect one and one of some reasons are refused when they are written
    down, and say nothing where they are fetched."""
    crl = anchor.crl(extensions=[extension])
    head = await ready.admin()
    body = {"anchors": anchor.pem, "crls": pem_list(crl)}
    path = "/json/certificate-authorities/partner"
    answer = await ready.request("PUT", path, body=body, headers=head)
    assert (answer.status, answer.body["detail"][0]["key"]) == (400, "crls")
    responder.lists["/list.crl"] = crl.public_bytes(Encoding.DER)
    await accept(ready, anchor, revocation="hard", crl_urls=[responder.url + "/list.crl"])
    assert await verdict(ready, anchor.issue("alice")) == 503


@pytest.mark.parametrize("case", ["nobody there", "404", "garbage", "redirect", "too large"])
async def test_lists_that_cannot_be_had(
    ready: Door, anchor: Holder, responder: Responder, case: str
) -> None:
    """Where the list should be is nothing that counts: 503 with hard, accepted with soft. No
    redirect is followed."""
    responder.lists["/list.crl"] = anchor.crl().public_bytes(Encoding.DER)
    responder.lists["/garbage"] = b"garbage"
    responder.lists["/large"] = bytes(10 * 1024 * 1024 + 1)
    place = {
        "nobody there": "http://127.0.0.1:9/x",
        "404": responder.url + "/none.crl",
        "garbage": responder.url + "/garbage",
        "redirect": responder.url + "/elsewhere",
        "too large": responder.url + "/large",
    }[case]
    await accept(ready, anchor, revocation="hard", crl_urls=[place])
    assert await verdict(ready, anchor.issue("alice")) == 503
    assert "/list.crl" not in responder.fetched
    await accept(ready, anchor, revocation="soft", crl_urls=[place])
    assert await verdict(ready, anchor.issue("alice")) == 200

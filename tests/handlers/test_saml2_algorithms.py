"""Every signature algorithm and digest of assertions, judged by signxml, xmlsec1 and libxmlsec."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.algorithms import XML_DIGESTS
from broker.errors import CannotIssue
from broker.instance import SigningKey
from broker.model import SAML2, IssuedToken
from tests.handlers.assertions import BEARER, NS, PROVIDER, parsed, xml
from tests.handlers.builders import instance, order, requested, saml2_options
from tests.handlers.saml2_judges import (
    SIGNXML,
    key_of,
    libxmlsec_accepts,
    signxml_sees,
    xmlsec1_accepts,
)

#: xmlsec1 1.2 knows no RSASSA-PSS.
XMLSEC1 = [name for name in SIGNXML if not name.startswith("PS")]


async def issued(algorithm: str, digest: str | None = None) -> IssuedToken:
    options = saml2_options(signing_key=SigningKey(algorithm), digest=digest)
    to = instance(saml2=options)
    claims = {"mail": ("demo@example.com",)}
    return await PROVIDER.issue(
        order(PROVIDER, BEARER, to=to, key=key_of(algorithm), claims=claims)
    )


def forged(token: IssuedToken) -> bytes:
    document = xml(token).replace(b">demo<", b">root<")
    assert document != xml(token)
    return document


def own_digest(algorithm: str) -> str:
    return "sha1" if algorithm == "RS1" else f"sha{algorithm[2:]}"


@pytest.mark.parametrize("algorithm", SIGNXML)
async def test_signature_verifies_and_a_forgery_does_not(algorithm: str) -> None:
    """signxml and libxmlsec see what was signed, with this algorithm and its own hash alone."""
    token = await issued(algorithm)
    seen = signxml_sees(xml(token), algorithm, own_digest(algorithm))
    assert seen.findtext("saml:Subject/saml:NameID", namespaces=NS) == "demo"
    assert libxmlsec_accepts(xml(token), algorithm)
    assert not libxmlsec_accepts(forged(token), algorithm)
    with pytest.raises(Exception, match=r"[Dd]igest"):
        signxml_sees(forged(token), algorithm, own_digest(algorithm))


@pytest.mark.parametrize("digest", XML_DIGESTS)
async def test_digest_is_the_one_that_is_named(digest: str) -> None:
    """The reference is hashed as the instance says, whatever the signature is made with."""
    token = await issued("ES384", digest)
    method = parsed(token).find(".//ds:DigestMethod", NS)
    assert method is not None
    assert method.get("Algorithm") == XML_DIGESTS[digest]
    signxml_sees(xml(token), "ES384", digest)


@pytest.mark.server
@pytest.mark.parametrize("algorithm", XMLSEC1)
async def test_signature_verifies_withxmlsec1_accepts(algorithm: str, tmp_path: Path) -> None:
    """The xmlsec1 program accepts the signature, and refuses it once the content changed."""
    token = await issued(algorithm)
    assert xmlsec1_accepts(xml(token), algorithm, tmp_path)
    assert not xmlsec1_accepts(forged(token), algorithm, tmp_path)


@pytest.mark.parametrize("algorithm", ["HS256", "EdDSA", "none"])
def test_algorithm_that_no_service_provider_reads_is_refused(algorithm: str) -> None:
    """What no judge verifies in XML is refused before anything is signed."""
    options = saml2_options(signing_key=SigningKey(algorithm))
    with pytest.raises(CannotIssue):
        PROVIDER.parse(requested(SAML2, subject_confirmation="BEARER"), instance(saml2=options))


async def test_other_digest_than_the_standards_is_refused() -> None:
    """A hash that XML Signature has no name for is the instance's mistake."""
    with pytest.raises(CannotIssue):
        await issued("RS256", "md5")

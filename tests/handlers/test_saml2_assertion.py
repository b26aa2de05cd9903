"""SAML2 output, judged by signxml, xmlsec1 and the OASIS schema."""

from __future__ import annotations

import hashlib
import itertools
from base64 import b64decode
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from broker.errors import CannotIssue, InvalidRequest
from broker.instance import SigningKey
from broker.model import OPENAM, OPENIDCONNECT, SAML2, USERNAME, X509, Confirmation, TokenType
from handlers.saml2.reader import MAX_ASSERTION_LENGTH
from tests.handlers.assertions import (
    NS,
    PROVIDER,
    attributes,
    canonical,
    issued,
    oasis_schema,
    parsed,
    signxml_verified,
    xml,
    xmlsec1_accepts,
)
from tests.handlers.builders import (
    ENTROPY,
    NOW,
    instance,
    order,
    requested,
    saml2_options,
    signer,
)

CONFIRMATIONS = {
    "BEARER": Confirmation("BEARER"),
    "SENDER_VOUCHES": Confirmation("SENDER_VOUCHES"),
    "HOLDER_OF_KEY": Confirmation("HOLDER_OF_KEY", signer("RS256").certificate),
}
CLAIMS = {"mail": ("a@example.com", "b<&>\"'\r\n\t"), "urn:format|cn": ("Zoë",)}
FULL: dict[str, Any] = {"claims": CLAIMS, "name_id_format": "urn:x:format"}
INSTANT, EXPIRY = "2023-11-14T22:13:20Z", "2023-11-14T22:23:20Z"
SHAPES = list(itertools.product(["RS256", "ES256"], CONFIRMATIONS))


def one(root: etree._Element, path: str) -> etree._Element:
    found = root.findall(path, NS)
    assert len(found) == 1
    return found[0]


def children(element: etree._Element) -> list[str]:
    return [etree.QName(child).localname for child in element]


@pytest.mark.parametrize(("algorithm", "method"), SHAPES)
async def test_assertion_verifies_with_signxml(algorithm: str, method: str) -> None:
    """Every kind of key and confirmation verifies, and what was signed is all of it."""
    token = await issued(algorithm, confirmation=CONFIRMATIONS[method], **FULL)
    seen = signxml_verified(xml(token), algorithm)
    root = parsed(token)
    root.remove(one(root, "ds:Signature"))
    assert etree.tostring(seen, method="c14n", exclusive=True) == etree.tostring(
        root, method="c14n", exclusive=True
    )


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
async def test_changed_assertion_does_not_verify(algorithm: str) -> None:
    """Another name in place of the subject's is noticed."""
    token = await issued(algorithm)
    forged = xml(token).replace(b">demo<", b">root<")
    assert forged != xml(token)
    with pytest.raises(Exception, match=r"[Dd]igest"):
        signxml_verified(forged, algorithm)


@pytest.mark.server
@pytest.mark.parametrize(("algorithm", "method"), SHAPES)
async def test_assertion_verifies_with_xmlsec1(algorithm: str, method: str, tmp_path: Path) -> None:
    """A second implementation accepts the signature, and refuses it once the content changed."""
    token = await issued(algorithm, confirmation=CONFIRMATIONS[method], **FULL)
    assert xmlsec1_accepts(xml(token), algorithm, tmp_path)
    forged = xml(token).replace(b">demo<", b">root<")
    assert not xmlsec1_accepts(forged, algorithm, tmp_path)


@pytest.mark.server
@pytest.mark.parametrize("method", CONFIRMATIONS)
@pytest.mark.parametrize("algorithm", [None, "RS256", "ES256"])
@pytest.mark.parametrize("options", [{}, FULL], ids=["least", "full"])
async def test_assertion_is_valid_by_the_oasis_schema(
    algorithm: str | None, method: str, options: dict[str, Any]
) -> None:
    """Every shape of assertion is what the standard's own schema allows."""
    token = await issued(algorithm, confirmation=CONFIRMATIONS[method], **options)
    oasis_schema().assertValid(parsed(token))


async def test_elements_stand_in_the_order_of_the_contract() -> None:
    """Issuer, signature, subject, conditions, authentication, attributes; no attribute too many."""
    root = parsed(await issued("RS256", **FULL))
    assert children(root) == [
        *("Issuer", "Signature", "Subject", "Conditions"),
        *("AuthnStatement", "AttributeStatement"),
    ]
    assert attributes(root) == {
        "ID": "s2" + ENTROPY[:20].hex(),
        "IssueInstant": INSTANT,
        "Version": "2.0",
    }
    signature = one(root, "ds:Signature")
    assert children(signature) == ["SignedInfo", "SignatureValue", "KeyInfo"]
    certificate = one(signature, "ds:KeyInfo/ds:X509Data/ds:X509Certificate")
    assert b64decode(certificate.text or "") == signer("RS256").certificate
    methods = [element.get("Algorithm") for element in signature.iter() if element.get("Algorithm")]
    assert methods == [
        "http://www.w3.org/2001/10/xml-exc-c14n#",
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
        "http://www.w3.org/2000/09/xmldsig#enveloped-signature",
        "http://www.w3.org/2001/10/xml-exc-c14n#",
        "http://www.w3.org/2001/04/xmlenc#sha256",
    ]
    assert one(signature, "ds:SignedInfo/ds:Reference").get("URI") == "#" + str(root.get("ID"))


async def test_bearer_assertion_says_what_the_contract_says() -> None:
    """Names, times, recipient and audience are the instance's and the claim's."""
    root = parsed(await issued(name_id_format="urn:x:format"))
    assert one(root, "saml:Issuer").text == "https://idp.example/"
    assert attributes(one(root, "saml:Issuer")) == {}
    name_id = one(root, "saml:Subject/saml:NameID")
    assert (name_id.text, attributes(name_id)) == ("demo", {"Format": "urn:x:format"})
    confirmation = one(root, "saml:Subject/saml:SubjectConfirmation")
    assert confirmation.get("Method") == "urn:oasis:names:tc:SAML:2.0:cm:bearer"
    data = one(confirmation, "saml:SubjectConfirmationData")
    assert attributes(data) == {"NotOnOrAfter": EXPIRY, "Recipient": "https://sp/acs"}
    conditions = one(root, "saml:Conditions")
    assert attributes(conditions) == {"NotBefore": INSTANT, "NotOnOrAfter": EXPIRY}
    audience = one(conditions, "saml:AudienceRestriction/saml:Audience")
    assert audience.text == "https://sp.example/"
    assert attributes(one(root, "saml:AuthnStatement")) == {"AuthnInstant": INSTANT}


async def test_optional_parts_are_left_out() -> None:
    """No recipient, format, audience or attributes: no trace of them."""
    token = await issued(
        confirmation=CONFIRMATIONS["SENDER_VOUCHES"],
        recipient=None,
        name_id_format="  ",
        audience="",
        claims={"mail": ()},
    )
    root = parsed(token)
    assert children(root)[-1] == "AuthnStatement"
    assert attributes(one(root, "saml:Subject/saml:NameID")) == {}
    assert children(one(root, "saml:Subject/saml:SubjectConfirmation")) == []
    assert children(one(root, "saml:Conditions")) == []
    bearer = parsed(await issued(recipient=None))
    data = one(bearer, "saml:Subject/saml:SubjectConfirmation/saml:SubjectConfirmationData")
    assert attributes(data) == {"NotOnOrAfter": EXPIRY}


async def test_holder_of_key_names_the_holder_s_certificate() -> None:
    """The proof certificate is shown as it came, typed as the standard wants, without a time."""
    root = parsed(await issued(confirmation=CONFIRMATIONS["HOLDER_OF_KEY"]))
    data = one(root, "saml:Subject/saml:SubjectConfirmation/saml:SubjectConfirmationData")
    assert attributes(data) == {f"{{{NS['xsi']}}}type": "saml:KeyInfoConfirmationDataType"}
    certificate = one(data, "ds:KeyInfo/ds:X509Data/ds:X509Certificate")
    assert b64decode(certificate.text or "") == signer("RS256").certificate


async def test_expiry_is_the_order_s() -> None:
    """What is left of the subject token bounds the assertion, in both places that say so."""
    root = parsed(await issued(expires_at=NOW + 1))
    ends = {element.get("NotOnOrAfter") for element in root.iter() if element.get("NotOnOrAfter")}
    assert ends == {"2023-11-14T22:13:21Z"}


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        (OPENAM, "PreviousSession"),
        (USERNAME, "PasswordProtectedTransport"),
        (OPENIDCONNECT, "PasswordProtectedTransport"),
        (X509, "X509"),
        (TokenType("OPAQUE"), "unspecified"),
    ],
)
async def test_authentication_context_follows_the_input(method: TokenType, expected: str) -> None:
    """How the subject was authenticated is said as the contract's table says."""
    root = parsed(await issued(subject={"method": method}))
    found = one(root, "saml:AuthnStatement/saml:AuthnContext/saml:AuthnContextClassRef")
    assert found.text == f"urn:oasis:names:tc:SAML:2.0:ac:classes:{expected}"


async def test_attributes_keep_names_formats_and_values() -> None:
    """``NameFormat|Name`` is split, a third part is ignored, order and values stay."""
    claims = {"mail": ("a", "b"), "urn:f|cn": ("c",), "urn:g|sn|rest": ("d",), "none": ()}
    statement = one(parsed(await issued(claims=claims)), "saml:AttributeStatement")
    assert [(attributes(each), [value.text for value in each]) for each in statement] == [
        ({"Name": "mail"}, ["a", "b"]),
        ({"Name": "cn", "NameFormat": "urn:f"}, ["c"]),
        ({"Name": "sn", "NameFormat": "urn:g"}, ["d"]),
    ]


async def test_attribute_without_a_name_cannot_be_issued() -> None:
    """A map that names no attribute is the instance's mistake, not an invalid assertion."""
    with pytest.raises(CannotIssue):
        await issued(claims={"urn:format|": ("x",)})


async def test_issued_token_is_known_by_the_names_of_the_contract() -> None:
    """Token id and alias are the ID, the digest that of the canonical form, signed or not."""
    for algorithm in (None, "RS256", "ES256"):
        token = await issued(algorithm, **FULL)
        assert token.type == SAML2
        assert token.token_id == token.alias == parsed(token).get("ID")
        assert token.digest == hashlib.sha256(canonical(xml(token))).digest()
        name = PROVIDER.name({"saml2_token": xml(token).decode()})
        assert (name.alias, name.digest) == (token.alias, token.digest)


async def test_unsigned_assertion_has_no_signature() -> None:
    """An instance that does not sign issues the same assertion without one."""
    root = parsed(await issued(None))
    assert root.find("ds:Signature", NS) is None
    assert children(root)[:2] == ["Issuer", "Subject"]


async def test_no_signer_no_signed_assertion() -> None:
    """An instance that signs never issues an unsigned assertion for want of a key."""
    to = instance(saml2=saml2_options(signing_key=SigningKey("RS256")))
    with pytest.raises(CannotIssue):
        await PROVIDER.issue(order(PROVIDER, CONFIRMATIONS["BEARER"], to=to))


async def test_assertion_that_could_not_be_read_again_is_not_issued() -> None:
    """An assertion longer than validate reads is refused."""
    with pytest.raises(CannotIssue):
        await issued(claims={"big": ("x" * MAX_ASSERTION_LENGTH,)})


@pytest.mark.parametrize("character", ["\x00", "\x0b", "\x1f", "\ufffe", "\uffff", "\ud800"])
async def test_character_that_xml_cannot_hold_is_refused_by_name(character: str) -> None:
    """A value that XML 1.0 cannot write is refused, and the refusal says where it stands."""
    with pytest.raises(InvalidRequest, match="attribute mail"):
        await issued(claims={"mail": ("fine", f"a{character}b")})
    with pytest.raises(InvalidRequest, match="the name of the subject"):
        await issued(subject={"name": f"a{character}b"})
    with pytest.raises(InvalidRequest, match="the issuer"):
        await issued(issuer=f"a{character}b")


def test_instance_decides_lifetime_key_map_and_persistence() -> None:
    """The provider hands on what the instance says, and refuses where it says nothing."""
    options = saml2_options(
        lifetime_seconds=30, attribute_map={"a": "mail"}, signing_key=SigningKey("ES256")
    )
    to = instance(saml2=options, persist_issued_tokens=True)
    assert PROVIDER.lifetime_seconds(to) == 30
    assert PROVIDER.signing_key(to) == SigningKey("ES256")
    assert PROVIDER.claim_map(to) == {"a": "mail"}
    assert PROVIDER.persists(to)
    with pytest.raises(CannotIssue):
        PROVIDER.lifetime_seconds(replace(to, saml2=None))


@pytest.mark.parametrize(
    "options",
    [None, saml2_options(audience=""), saml2_options(signing_key=SigningKey("HS256"))],
    ids=["no options", "no audience", "no such algorithm"],
)
def test_instance_that_is_not_set_up_cannot_issue(options: Any) -> None:
    """A bearer assertion needs options, an audience and an algorithm for XML signatures."""
    wanted = requested(SAML2, subject_confirmation="BEARER")
    with pytest.raises(CannotIssue):
        PROVIDER.parse(wanted, instance(saml2=options))

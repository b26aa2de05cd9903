"""Every input to every output, through the front door, judged by programs that are not ours."""

from __future__ import annotations

import subprocess
from base64 import b64decode
from collections.abc import AsyncIterator
from pathlib import Path
from textwrap import wrap

import pytest
import pytest_asyncio
from lxml import etree
from saml2.client import Saml2Client

from tests.handlers.assertions import NS, oasis_schema
from tests.handlers.saml2_judges import (
    assertion_in,
    encryption_schema,
    xmlsec1_decrypted,
)
from tests.http import judges, matrix
from tests.http.matrix import (
    ALGORITHMS,
    ASSERTION,
    ATTRIBUTES,
    COMMON_NAMES,
    CONTEXTS,
    INPUTS,
    METHODS,
    NAME_ID,
    PARTY,
    PLAIN,
    SIGNATURES,
    SUBJECTS,
    UNSIGNED,
    WAYS,
    World,
    oidc_element,
    saml2_element,
)
from tests.http.service_provider import accepted, service_provider, signing_certificate
from tests.http.test_id_tokens import judged
from tests.support.door import AUDIENCE, ISSUER

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.server,  # xmlsec1 and the schemas
    pytest.mark.xdist_group("matrix"),
]
CONFIRMED = "urn:oasis:names:tc:SAML:2.0:cm:"
LIFETIME_SECONDS = 300


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """One broker for the file."""
    with pytest.MonkeyPatch.context() as patch:
        for name in matrix.settings_of_the_shell():
            patch.delenv(name)
        async with matrix.opened(tmp_path_factory.mktemp("matrix")) as opened:
            yield opened


@pytest.fixture(scope="module")
def certificates(world: World, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """By algorithm the realm's certificate in PEM, as a service provider was handed it."""
    folder = tmp_path_factory.mktemp("certificates")
    found = {}
    for name in SIGNATURES:
        lines = wrap(signing_certificate(world.door, name), 64)
        found[name] = folder / f"{name}.pem"
        armour = ("-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", "")
        found[name].write_text("\n".join(armour))
    return found


@pytest.fixture(scope="module")
def providers(world: World, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Saml2Client]:
    """By algorithm a service provider that knows that certificate alone."""
    return {
        name: service_provider(tmp_path_factory.mktemp(name), signing_certificate(world.door, name))
        for name in SIGNATURES
    }


# -- assertions ----------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("signature", SIGNATURES)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("given", INPUTS)
async def test_assertion(
    world: World,
    certificates: dict[str, Path],
    tmp_path: Path,
    given: str,
    method: str,
    signature: str,
    way: str,
) -> None:
    """xmlsec1 decrypts and verifies it, it keeps to the OASIS schema, nothing readable is left of
    what is encrypted, it says who and how, and it is valid until it is cancelled."""
    element = saml2_element(signature, way)
    document = (await world.assertion(given, method, element)).encode()
    encryption_schema().assertValid(etree.fromstring(document))
    _check_hidden(document, way)
    plain = etree.fromstring(document)
    if way != PLAIN:
        plain = xmlsec1_decrypted(document, tmp_path)
    signed = assertion_in(plain) if way == ASSERTION else document
    if way in (PLAIN, ASSERTION):
        oasis_schema().assertValid(etree.fromstring(signed))
    assert _verifies(signed, certificates[signature], tmp_path)
    _check_words(plain, given)
    _check_confirmation(plain, method, world)
    await _lives_and_ends(world, element, document.decode())


def _check_hidden(document: bytes, way: str) -> None:
    """What is encrypted stands nowhere in clear, and the rest does."""
    root = etree.fromstring(document)
    every = {"Assertion", "NameID", "Attribute", "AttributeValue", "Signature"}
    hidden = {
        ASSERTION: every,
        ATTRIBUTES: {"Attribute", "AttributeValue"},
        NAME_ID: {"NameID"},
        PLAIN: set(),
    }[way]
    there = {etree.QName(each).localname for each in root.iter(f"{{{NS['saml']}}}*")}
    there |= {etree.QName(each).localname for each in root.iter(f"{{{NS['ds']}}}Signature")}
    assert there & every == every - hidden


def _verifies(document: bytes, certificate: Path, folder: Path) -> bool:
    """Whether the xmlsec1 program verifies it with the realm's certificate."""
    file = folder / "assertion.xml"
    file.write_bytes(document)
    ran = subprocess.run(
        [
            *("xmlsec1", "--verify", "--id-attr:ID", f"{NS['saml']}:Assertion"),
            *("--pubkey-cert-pem", str(certificate), str(file)),
        ],
        capture_output=True,
        check=False,
        timeout=60,
    )
    return ran.returncode == 0


def _check_words(plain: etree._Element, given: str) -> None:
    saml = f"{{{NS['saml']}}}"
    [name] = plain.iter(f"{saml}NameID")
    assert name.text == SUBJECTS[given]
    found = {
        str(each.get("Name")): [value.text for value in each]
        for each in plain.iter(f"{saml}Attribute")
    }
    assert found == {"name": [COMMON_NAMES[given]], "team": ["orders"]}
    [context] = plain.iter(f"{saml}AuthnContextClassRef")
    assert context.text == CONTEXTS[given]
    [audience] = plain.iter(f"{saml}Audience")
    assert audience.text == AUDIENCE
    assert next(plain.iter(f"{saml}Issuer")).text == ISSUER


def _check_confirmation(plain: etree._Element, method: str, world: World) -> None:
    """SAML 2.0 profiles, section 3: what each method says, and no more."""
    [confirmation] = plain.iter(f"{{{NS['saml']}}}SubjectConfirmation")
    assert confirmation.get("Method") == CONFIRMED + method.lower().replace("_", "-")
    data = confirmation.find("saml:SubjectConfirmationData", NS)
    if method == "SENDER_VOUCHES":
        assert data is None
        return
    assert data is not None
    if method == "BEARER":
        assert {str(name) for name in data.attrib} == {"NotOnOrAfter", "Recipient"}
        assert data.get("Recipient") == f"{AUDIENCE}/acs"
        return
    [certificate] = data.findall("ds:KeyInfo/ds:X509Data/ds:X509Certificate", NS)
    assert b64decode(certificate.text or "") == world.alice.der


async def _lives_and_ends(world: World, element: str, document: str) -> None:
    state = {"token_type": "SAML2", "saml2_token": document}
    assert (await world.door.validate(state, instance=element)).body == {"token_valid": True}
    assert (await world.door.cancel(state, instance=element)).status == 200
    assert (await world.door.validate(state, instance=element)).body == {"token_valid": False}


@pytest.mark.parametrize("signature", SIGNATURES)
async def test_judge_refuses(
    world: World, certificates: dict[str, Path], tmp_path: Path, signature: str
) -> None:
    """xmlsec1 verifies neither a changed assertion nor one by another key."""
    issued = await world.assertion("USERNAME", "BEARER", saml2_element(signature, PLAIN))
    [other] = set(SIGNATURES) - {signature}
    changed = issued.replace(AUDIENCE, "https://other.example.com")
    assert not _verifies(changed.encode(), certificates[signature], tmp_path)
    assert not _verifies(issued.encode(), certificates[other], tmp_path)
    assert _verifies(issued.encode(), certificates[signature], tmp_path)


@pytest.mark.filterwarnings("ignore")  # what pysaml2 and what it stands on are warned of
@pytest.mark.parametrize("way", [PLAIN, ASSERTION, NAME_ID])
@pytest.mark.parametrize("signature", SIGNATURES)
@pytest.mark.parametrize("given", INPUTS)
async def test_service_provider(
    world: World, providers: dict[str, Saml2Client], given: str, signature: str, way: str
) -> None:
    """pysaml2 takes a bearer assertion, knows the subject, and takes none by another key.

    (It fails at an EncryptedAttribute, whoever made it.)
    """
    document = await world.assertion(given, "BEARER", saml2_element(signature, way))
    found = accepted(providers[signature], document)
    assert found.get_subject().text == SUBJECTS[given]
    assert found.ava["name"] == [COMMON_NAMES[given]]
    [other] = set(SIGNATURES) - {signature}
    with pytest.raises(Exception, match=r"(?i)sign"):
        accepted(providers[other], document)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("given", INPUTS)
async def test_unsigned_is_refused(
    world: World, providers: dict[str, Saml2Client], given: str, way: str
) -> None:
    """pysaml2 takes no assertion that is not signed, encrypted or not."""
    document = await world.assertion(given, "BEARER", saml2_element(UNSIGNED, way))
    with pytest.raises(Exception, match=r"(?i)sign"):
        accepted(providers["RS256"], document)


# -- ID tokens -----------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")  # joserfc, of RFC 8037's name
@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("given", INPUTS)
async def test_id_token(world: World, given: str, algorithm: str) -> None:
    """Three JOSE libraries verify it by the JWKS, or by the client's secret, and agree on claims
    that are right; it is valid until it is cancelled."""
    element = oidc_element(algorithm)
    token = await world.id_token(given, element)
    claims = judged(token, algorithm, await judges.jwks(world.door))
    assert claims["sub"] == SUBJECTS[given]
    assert (claims["iss"], claims["aud"], claims["azp"]) == (ISSUER, "client", PARTY)
    assert (claims["nonce"], claims["name"]) == ("n-1", COMMON_NAMES[given])
    assert claims["exp"] == claims["iat"] + LIFETIME_SECONDS
    state = {"token_type": "OPENIDCONNECT", "oidc_id_token": token}
    assert (await world.door.validate(state, instance=element)).body == {"token_valid": True}
    assert (await world.door.cancel(state, instance=element)).status == 200
    assert (await world.door.validate(state, instance=element)).body == {"token_valid": False}


async def test_the_matrix_is_whole() -> None:
    """Four inputs, three methods, two kinds of key, four ways; and each algorithm that there is."""
    assert [len(each) for each in (INPUTS, METHODS, SIGNATURES, WAYS)] == [4, 3, 2, 4]
    assert {"RS256", "PS384", "ES512", "EdDSA", "HS256"} < set(ALGORITHMS)
    assert len(ALGORITHMS) == 14

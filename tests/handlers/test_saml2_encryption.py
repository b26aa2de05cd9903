"""Encrypted assertions, attributes and NameIDs, decrypted by libxmlsec and the xmlsec1 program."""

from __future__ import annotations

import hashlib
import itertools
import re
from base64 import b64decode
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from lxml import etree

from adapters.keys import certificates
from broker.algorithms import (
    CBC_CIPHERS,
    CIPHER_BITS,
    RSA_OAEP_MGF1P,
    XML_CIPHERS,
    XML_KEY_TRANSPORTS,
)
from broker.errors import CannotIssue
from broker.instance import Recipient, Saml2Encryption
from broker.model import SAML2
from handlers.saml2.names import XENC
from tests.handlers.assertions import NS, PROVIDER, canonical, issued, parsed, signxml_verified, xml
from tests.handlers.builders import NOW, instance, requested, saml2_options
from tests.handlers.saml2_judges import (
    assertion_in,
    encryption,
    encryption_schema,
    libxmlsec_decrypted,
    provider_key,
    xmlsec1_decrypted,
)

NAMES = {**NS, "xenc": XENC}
CLAIMS = {"mail": ("a@example.com", 'b<&>"\r\n'), "urn:format|cn": ("Zoë",)}
#: The transports that a service provider may ask for, with the digests that go with them.
TRANSPORTS = [
    ("rsa-oaep-mgf1p", None),
    ("rsa-oaep", None),
    ("rsa-oaep", "sha1"),
    ("rsa-oaep", "sha384"),
    ("rsa-oaep", "sha512"),
    ("rsa-1_5", None),
]
PARTS = [("name_id",), ("attributes",), ("attributes", "name_id")]


def texts(root: etree._Element, path: str) -> list[str]:
    return [found.text or "" for found in root.iterfind(path, NAMES)]


def content_keys(document: bytes) -> list[bytes]:
    """The content key of each EncryptedData, as the service provider unwraps it."""
    found = etree.fromstring(document).iterfind(".//xenc:EncryptedKey//xenc:CipherValue", NAMES)
    return [_unwrapped(value.text or "") for value in found]


def _unwrapped(value: str) -> bytes:
    private, _ = provider_key()
    scheme = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)  # noqa: S303
    return private.decrypt(b64decode(value), scheme)


def check_plain(root: etree._Element) -> None:
    """What was encrypted says what was to be said."""
    assert texts(root, ".//saml:NameID") == ["demo"]
    assert texts(root, ".//saml:AttributeValue") == ["a@example.com", 'b<&>"\r\n', "Zoë"]
    assert [each.get("Name") for each in root.iterfind(".//saml:Attribute", NAMES)] == [
        *("mail", "cn")
    ]


@pytest.mark.parametrize(
    ("cipher", "transport"), list(itertools.product(XML_CIPHERS, TRANSPORTS)), ids=str
)
async def test_assertion_of_every_algorithm_is_decrypted(
    cipher: str, transport: tuple[str, str | None]
) -> None:
    """libxmlsec opens it with the recipient's key, and the signature inside verifies."""
    wanted = encryption("assertion", cipher=cipher, transport=transport[0], digest=transport[1])
    token = await issued("ES256", claims=CLAIMS, encryption=wanted)
    root = parsed(token)
    assert etree.QName(root).localname == "EncryptedAssertion"
    assert b"demo" not in xml(token)
    plain = assertion_in(libxmlsec_decrypted(xml(token)))
    check_plain(signxml_verified(plain, "ES256"))


@pytest.mark.parametrize("what", PARTS, ids=" and ".join)
@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
async def test_parts_are_encrypted_and_then_signed(algorithm: str, what: tuple[str, ...]) -> None:
    """The signature covers the cipher text; decrypted, the parts say what they said before."""
    token = await issued(algorithm, claims=CLAIMS, encryption=encryption(*what))
    document = xml(token)
    assert canonical(document) == document
    seen = signxml_verified(document, algorithm)
    assert (seen.find(".//saml:NameID", NAMES) is None) == ("name_id" in what)
    assert (seen.find(".//saml:Attribute", NAMES) is None) == ("attributes" in what)
    check_plain(libxmlsec_decrypted(document))


@pytest.mark.server
@pytest.mark.parametrize("cipher", XML_CIPHERS)
@pytest.mark.parametrize("transport", ["rsa-oaep-mgf1p", "rsa-1_5"])
@pytest.mark.parametrize("what", [("assertion",), ("attributes", "name_id")], ids=str)
async def test_program_xmlsec1_decrypts(
    cipher: str, transport: str, what: tuple[str, ...], tmp_path: Path
) -> None:
    """Debian's xmlsec1 opens every cipher with the key transports it knows, the default first."""
    wanted = encryption(*what, cipher=cipher, transport=transport)
    token = await issued("RS256", claims=CLAIMS, encryption=wanted)
    check_plain(xmlsec1_decrypted(xml(token), tmp_path))


@pytest.mark.server
@pytest.mark.parametrize("what", [("assertion",), *PARTS], ids=" and ".join)
@pytest.mark.parametrize("transport", XML_KEY_TRANSPORTS)
@pytest.mark.parametrize("algorithm", [None, "RS256"])
async def test_encrypted_is_valid_by_the_oasis_schema(
    algorithm: str | None, transport: str, what: tuple[str, ...]
) -> None:
    """Each form of encryption is what the schemas of SAML and XML Encryption 1.1 allow."""
    token = await issued(
        algorithm, claims=CLAIMS, encryption=encryption(*what, transport=transport)
    )
    encryption_schema().assertValid(parsed(token))


async def test_structure_is_that_of_the_contract() -> None:
    """EncryptedData of an element, its EncryptedKey inside KeyInfo, and the names asked for."""
    root = parsed(await issued("RS256", encryption=encryption("assertion")))
    data = root.find("xenc:EncryptedData", NAMES)
    assert data is not None
    assert data.get("Type") == "http://www.w3.org/2001/04/xmlenc#Element"
    assert [etree.QName(each).localname for each in data] == [
        *("EncryptionMethod", "KeyInfo", "CipherData")
    ]
    assert len(data.findall("ds:KeyInfo/xenc:EncryptedKey", NAMES)) == 1
    named = [each.get("Algorithm") for each in root.iter() if each.get("Algorithm")]
    assert named == [
        "http://www.w3.org/2009/xmlenc11#aes256-gcm",
        RSA_OAEP_MGF1P,
        "http://www.w3.org/2000/09/xmldsig#sha1",
    ]


@pytest.mark.parametrize("digest", [None, "sha256", "sha512"])
async def test_oaep_of_xml_encryption_1_1_names_hash_and_mask(digest: str | None) -> None:
    """rsa-oaep says its hash and the same hash for its mask; SHA-256 unless another is named."""
    wanted = encryption("assertion", transport="rsa-oaep", digest=digest)
    root = parsed(await issued("RS256", encryption=wanted))
    named = [each.get("Algorithm") for each in root.iter() if each.get("Algorithm")]
    assert named[2:] == [
        f"http://www.w3.org/2001/04/xmlenc#{digest or 'sha256'}",
        f"http://www.w3.org/2009/xmlenc11#mgf1{digest or 'sha256'}",
    ]


@pytest.mark.parametrize("cipher", XML_CIPHERS)
async def test_each_element_has_a_fresh_key_and_vector(cipher: str) -> None:
    """No content key and no vector is used twice, within an assertion or between two of them."""
    wanted = encryption("attributes", "name_id", cipher=cipher)
    tokens = [await issued(None, claims=CLAIMS, encryption=wanted) for _ in range(3)]
    keys = [key for token in tokens for key in content_keys(xml(token))]
    assert len(keys) == len(set(keys)) == 9
    assert {len(key) * 8 for key in keys} == {CIPHER_BITS[wanted.algorithm]}
    vectors = [
        b64decode(value)[: 16 if wanted.algorithm in CBC_CIPHERS else 12]
        for token in tokens
        for value in texts(parsed(token), ".//xenc:EncryptedData/xenc:CipherData/xenc:CipherValue")
    ]
    assert len(vectors) == len(set(vectors)) == 9


async def test_encrypted_assertion_is_known_by_its_cipher_text() -> None:
    """Its alias is the SHA-1 of the CipherValue, its token id the ID that nobody else sees."""
    token = await issued("RS256", encryption=encryption("assertion"))
    (value,) = texts(parsed(token), "xenc:EncryptedData/xenc:CipherData/xenc:CipherValue")
    assert token.alias == hashlib.sha1(value.encode()).hexdigest().upper()  # noqa: S324
    assert token.digest == hashlib.sha256(value.encode()).digest()
    assert token.token_id != token.alias
    plain = assertion_in(libxmlsec_decrypted(xml(token)))
    assert etree.fromstring(plain).get("ID") == token.token_id
    name = PROVIDER.name({"saml2_token": xml(token).decode()})
    assert (name.alias, name.digest) == (token.alias, token.digest)


async def test_base64_that_was_wrapped_again_has_the_same_name() -> None:
    """White space in the cipher text changes neither alias nor digest."""
    token = await issued("RS256", encryption=encryption("assertion"))
    wrapped = re.sub(r"([A-Za-z0-9+/=]{64})", "\\1\r\n  ", xml(token).decode())
    assert wrapped != xml(token).decode()
    name = PROVIDER.name({"saml2_token": wrapped})
    assert (name.alias, name.digest) == (token.alias, token.digest)


async def test_partly_encrypted_assertion_is_known_by_its_id() -> None:
    """With its parts encrypted it is an Assertion still, named by its ID and canonical form."""
    token = await issued("RS256", claims=CLAIMS, encryption=encryption(*PARTS[2]))
    assert token.alias == token.token_id == parsed(token).get("ID")
    assert token.digest == hashlib.sha256(canonical(xml(token))).digest()


async def test_no_attributes_no_encrypted_attribute() -> None:
    """Where there is nothing to state, there is nothing to encrypt."""
    root = parsed(await issued(None, encryption=encryption("attributes")))
    assert root.find("saml:AttributeStatement", NAMES) is None


def _certificate(kind: str) -> bytes | None:
    """The certificate of a recipient for whom nothing is encrypted."""
    if kind == "none":
        return None
    if kind == "noise":
        return b"\x30\x03\x02\x01\x00"
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey = ec.generate_private_key(ec.SECP256R1())
    if kind == "1024 bits":
        key = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505
    return certificates.der(certificates.self_signed(key, "sp", NOW))


@pytest.mark.parametrize("kind", ["none", "noise", "EC", "1024 bits"])
def test_recipient_that_nothing_is_encrypted_for_is_refused(kind: str) -> None:
    """No certificate, no RSA key or a weak one: the request is refused before any work."""
    wanted = Saml2Encryption(
        Recipient(certificate=_certificate(kind)), XML_CIPHERS["aes128-gcm"][0], RSA_OAEP_MGF1P
    )
    to = instance(saml2=saml2_options(encryption=wanted))
    with pytest.raises(CannotIssue, match=r"certificate|RSA key has 1024 bits"):
        PROVIDER.parse(requested(SAML2, subject_confirmation="BEARER"), to)


@pytest.mark.parametrize(
    ("cipher", "transport", "digest"),
    [
        ("http://www.w3.org/2001/04/xmlenc#tripledes-cbc", RSA_OAEP_MGF1P, None),
        (XML_CIPHERS["aes128-gcm"][0], "urn:other", None),
        (XML_CIPHERS["aes128-gcm"][0], XML_KEY_TRANSPORTS["rsa-oaep"], "urn:other"),
    ],
)
def test_algorithm_that_is_not_offered_is_refused(
    cipher: str, transport: str, digest: str | None
) -> None:
    """Triple DES and names that nobody knows are the instance's mistake."""
    recipient = Recipient(certificate=provider_key()[1])
    to = instance(
        saml2=saml2_options(encryption=Saml2Encryption(recipient, cipher, transport, digest))
    )
    with pytest.raises(CannotIssue, match="this instance names no"):
        PROVIDER.parse(requested(SAML2, subject_confirmation="BEARER"), to)

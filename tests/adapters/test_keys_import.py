"""Keys that come from outside, and how keys are named."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from adapters.keys import certificates, jwks
from adapters.keys.private_keys import MAX_PEM_BYTES
from adapters.keys.ring import KeyRing
from adapters.stores.memory import open_memory
from broker.errors import Conflict, InvalidRequest, KeyUnavailable
from broker.instance import SigningKey
from tests.support.door import FrozenClock
from tests.support.key_rings import MARGIN, a_ring, published, signs, states

pytestmark = pytest.mark.usefixtures("quick_keys")

NOW = 1_800_000_000
RSA_2048 = rsa.generate_private_key(public_exponent=65537, key_size=2048)
P256 = ec.generate_private_key(ec.SECP256R1())
OTHER_P256 = ec.generate_private_key(ec.SECP256R1())


def pem(key: Any, form: PrivateFormat = PrivateFormat.PKCS8, password: bytes = b"") -> bytes:
    protection = BestAvailableEncryption(password) if password else NoEncryption()
    return bytes(key.private_bytes(Encoding.PEM, form, protection))


@pytest.fixture
async def ring(clock: FrozenClock) -> KeyRing:
    return await a_ring(clock)


def test_thumbprint_is_that_of_the_rfc() -> None:
    """RFC 7638, section 3.1, gives a key and its thumbprint."""
    n = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_B"
        "JECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_F"
        "DW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4"
        "vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
    )
    key = {"kty": "RSA", "n": n, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"}
    assert jwks.thumbprint(key) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


def test_thumbprint_of_an_edwards_key_is_that_of_the_rfc() -> None:
    """RFC 8037, appendix A.3, gives a key and its thumbprint."""
    key = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
    assert jwks.thumbprint(key) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_coordinates_keep_their_leading_zeros() -> None:
    """A P-256 coordinate is 32 bytes long even where it begins with zeros (RFC 7518, 6.2.1.2)."""
    scalar = next(
        number
        for number in range(1, 5000)
        if ec.derive_private_key(number, ec.SECP256R1()).public_key().public_numbers().x >> 248 == 0
    )
    members = jwks.public_members(ec.derive_private_key(scalar, ec.SECP256R1()).public_key())
    assert members["x"].startswith("A")
    assert len(members["x"]) == len(members["y"]) == 43


FORMS = [
    (pem(RSA_2048), "RS256"),
    (pem(RSA_2048, PrivateFormat.TraditionalOpenSSL), "RS256"),
    (pem(P256), "ES256"),
    (pem(P256, PrivateFormat.TraditionalOpenSSL), "ES256"),
    (pem(ec.generate_private_key(ec.SECP384R1())), "ES384"),
    (pem(ec.generate_private_key(ec.SECP521R1())), "ES512"),
    (pem(ed25519.Ed25519PrivateKey.generate()), "EdDSA"),
]
FORM_NAMES = ["RSA", "PKCS #1", "P-256", "SEC 1", "P-384", "P-521", "Ed25519"]


@pytest.mark.parametrize(("given", "algorithm"), FORMS, ids=FORM_NAMES)
async def test_imported_key_takes_over_as_after_a_rotation(
    given: bytes, algorithm: str, clock: FrozenClock
) -> None:
    """Any usual PEM form is taken; the key is published, and signs once relying parties know it,
    also for a broker that started since."""
    store = open_memory().configuration
    ring = await a_ring(clock, store)
    await ring.cover_lifetime("/", 0, (), [algorithm])
    before = signs(ring, SigningKey(algorithm))
    key = await ring.import_pem("/", given, None)
    assert (key.state, key.signs_from) == ("next", clock.now() + MARGIN)
    assert states(ring, algorithm) == {before: "active", key.kid: "next"}
    assert key.kid in published(ring)
    clock.advance(MARGIN)
    for broker in (ring, await a_ring(clock, store)):
        assert signs(broker, SigningKey(algorithm)) == key.kid
        assert states(broker, algorithm) == {before: "retired", key.kid: "active"}


@pytest.mark.parametrize(("given", "algorithm"), FORMS, ids=FORM_NAMES)
async def test_known_key_signs_at_once(given: bytes, algorithm: str, ring: KeyRing) -> None:
    """A key that relying parties know from elsewhere signs from the moment of its import."""
    await ring.cover_lifetime("/", 0, (), [algorithm])
    before = signs(ring, SigningKey(algorithm))
    key = await ring.import_pem("/", given, None, now=True)
    assert key.state == "active"
    assert states(ring, algorithm) == {before: "retired", key.kid: "active"}
    assert ring.key_id("/", SigningKey(algorithm, alias=key.kid)) == key.kid


async def test_algorithm_of_an_imported_rsa_key(ring: KeyRing) -> None:
    """An RSA key is imported for the algorithm that is asked for, and serves no other one."""
    key = await ring.import_pem("/", pem(RSA_2048), None, algorithm="PS512")
    assert (key.algorithm, key.state) == ("PS512", "active")
    assert signs(ring, SigningKey("PS512")) == key.kid
    with pytest.raises(KeyUnavailable, match="not one for RS256"):
        ring.key_id("/", SigningKey("RS256", alias=key.kid))
    with pytest.raises(Conflict, match="is here for PS512"):
        await ring.import_pem("/", pem(RSA_2048), None, algorithm="RS256")
    assert (await ring.import_pem("/", pem(RSA_2048), None)).algorithm == "PS512"


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA", "HS256", "RS1", "none", ""])
async def test_algorithm_that_is_none_of_the_key(algorithm: str, ring: KeyRing) -> None:
    """A key is not imported for an algorithm that it cannot sign with, or that has no keys."""
    before = ring.list("/")
    with pytest.raises(InvalidRequest):
        await ring.import_pem("/", pem(RSA_2048), None, algorithm=algorithm)
    assert ring.list("/") == before


async def test_import_that_was_in_no_hurry_can_be_hurried(ring: KeyRing) -> None:
    """A key that waits for its time signs at once if it is imported again, now."""
    key = await ring.import_pem("/", pem(P256), None)
    assert (await ring.import_pem("/", pem(P256), None)) == key
    assert (await ring.import_pem("/", pem(P256), None, now=True)).state == "active"
    assert signs(ring, SigningKey("ES256")) == key.kid


async def test_imported_certificate_is_the_one_shown(ring: KeyRing) -> None:
    """A key comes with its certificate, or gets a self-signed one."""
    certificate = certificates.self_signed(P256, "/theirs", NOW)
    key = await ring.import_pem("/", pem(P256), certificate)
    signer = ring.signer("/", SigningKey("ES256"), key.kid)
    assert signer.certificate == certificates.der(certificate)
    other = await ring.import_pem("/", pem(OTHER_P256), None)
    assert ring.signer("/", SigningKey("ES256"), other.kid).certificate is not None


async def test_certificate_for_a_key_that_is_here_replaces_its_own(
    ring: KeyRing, clock: FrozenClock
) -> None:
    """Importing a key again changes its certificate alone: a retired key stays retired."""
    kid = (await ring.import_pem("/", pem(P256), None, now=True)).kid
    await ring.rotate("/", "ES256")
    clock.advance(MARGIN)
    active = signs(ring, SigningKey("ES256"))
    certificate = certificates.self_signed(P256, "/theirs", NOW)
    for now in (False, True):
        assert (await ring.import_pem("/", pem(P256), certificate, now=now)).state == "retired"
    assert signs(ring, SigningKey("ES256")) == active != kid
    assert ring.signer("/", SigningKey("ES256"), kid).certificate == certificates.der(certificate)


def weak(size: int, exponent: int = 65537) -> bytes:
    return pem(rsa.generate_private_key(public_exponent=exponent, key_size=size))


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (weak(1024), "1024 bits"),
        (weak(2048, exponent=3), "exponent"),
        (pem(ec.generate_private_key(ec.SECP224R1())), "secp224r1 is not offered: use P-256"),
        (pem(ec.generate_private_key(ec.SECP256K1())), "secp256k1"),
        (pem(ed448.Ed448PrivateKey.generate()), "kind of key"),
        (pem(dsa.generate_private_key(2048)), "kind of key"),
        (pem(P256, password=b"pl4nted"), "decrypt it"),
        (b"", "no private key"),
        (b"\xff\x00", "no private key"),
        (certificates.self_signed(P256, "/", NOW), "no private key"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "no private key"),
        (b"x" * (MAX_PEM_BYTES + 1), "longer than"),
    ],
)
async def test_key_below_the_floor_is_refused(given: bytes, reason: str, ring: KeyRing) -> None:
    """What is weak, of another kind, encrypted or no key at all is refused with a sentence."""
    before = ring.list("/")
    with pytest.raises(InvalidRequest, match=reason):
        await ring.import_pem("/", given, None)
    assert ring.list("/") == before


@pytest.mark.parametrize(
    ("certificate", "reason"),
    [
        (certificates.self_signed(OTHER_P256, "/", NOW), "another key"),
        (pem(P256), "no certificate"),
        (b"", "no certificate"),
        (b"x" * (MAX_PEM_BYTES + 1), "longer than"),
    ],
)
async def test_certificate_of_another_key_is_refused(
    certificate: bytes, reason: str, ring: KeyRing
) -> None:
    """A certificate must be one, and the key's own; otherwise nothing is imported."""
    before = ring.list("/")
    with pytest.raises(InvalidRequest, match=reason):
        await ring.import_pem("/", pem(P256), certificate)
    assert ring.list("/") == before

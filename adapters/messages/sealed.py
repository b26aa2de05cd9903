"""Encrypted requests and answers: compact JWE (RFC 7516) by joserfc, under our own key policy.

Key agreement is ECDH-ES with P-256, key transport RSA-OAEP-256, content encryption A256GCM, and
nothing else. A failure to decrypt is one sentence whatever its cause, and costs the same.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from joserfc import jwe
from joserfc._rfc7516.models import JWEAlgModel, Recipient  # the library's door for algorithms
from joserfc._rfc7518.jwe_algs import RSAAlgKeyEncryption
from joserfc.errors import DecodeError
from joserfc.jwk import ECKey, RSAKey

from adapters.keys.encryption import EncryptionKey
from adapters.keys.public_jwk import ENCRYPTION, UnusableKey, algorithm_of, public_key
from adapters.messages import compact
from broker.errors import InvalidRequest

JOSE = "application/jose"
KEY_AGREEMENT, KEY_TRANSPORT, CONTENT = "ECDH-ES", "RSA-OAEP-256", "A256GCM"

PARTS = 5
KEY_BYTES, IV_BYTES, TAG_BYTES = 32, 12, 16
MAX_ENCRYPTED_KEY_BYTES = 512  # RSA with 4096 bits
MAX_PARTY_LENGTH = 128
MAX_TOKEN_BYTES = 32 * 1024 * 1024  # of this module; the opener's limits are lower

HEADER = frozenset({"alg", "enc", "kid", "epk", "apu", "apv", "cty", "typ"})
EPK = frozenset({"kty", "crv", "x", "y"})

CANNOT_DECRYPT = (
    "this request cannot be decrypted: encrypt it to a key of the JWKS whose use is enc, and name "
    "that key's kid"
)


class DecryptionKeys(Protocol):
    """Finds our own encryption keys."""

    async def find(self, kid: str) -> EncryptionKey | None:
        """The key of that name, None if there is none. Raises Unavailable."""


class _EvenOaep(RSAAlgKeyEncryption):
    """RSA-OAEP-256 that goes on with a random key where the wrapped one cannot be read, so that
    such a message takes as long, and ends as, one whose content was altered (RFC 7516, 11.5)."""

    def decrypt_cek(self, recipient: Recipient[RSAKey]) -> bytes:
        instead = secrets.token_bytes(KEY_BYTES)
        try:
            cek = super().decrypt_cek(recipient)
        except DecodeError:
            return instead
        return cek if len(cek) == KEY_BYTES else instead


_OAEP = _EvenOaep(
    KEY_TRANSPORT,
    "RSAES OAEP using SHA-256 and MGF1 with SHA-256",
    padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None),
)


class _Registry(jwe.JWERegistry):
    """Our three algorithms, and limits that let a batch through."""

    max_protected_header_length = compact.MAX_HEADER_BYTES
    max_ciphertext_length = MAX_TOKEN_BYTES

    def __init__(self) -> None:
        super().__init__(algorithms=[KEY_AGREEMENT, KEY_TRANSPORT, CONTENT])

    def get_alg(self, name: str) -> JWEAlgModel:
        return _OAEP if name == KEY_TRANSPORT else super().get_alg(name)


_REGISTRY = _Registry()


@dataclass(frozen=True, slots=True)
class Sealed:
    """A JWE whose header follows the rules; nothing is decrypted yet.

    ``cty`` is what the plaintext is said to be, in lower case, empty where it is not said.
    """

    token: bytes = field(repr=False)
    algorithm: str
    kid: str
    cty: str


def read(token: bytes) -> Sealed:
    """The JWE in ``token``. Raises InvalidRequest with what breaks the rules."""
    parts = token.split(b".")
    if len(parts) != PARTS:
        raise InvalidRequest("an encrypted request is a compact JWE: five parts with dots between")
    found = compact.header(parts[0], HEADER)
    algorithm = found.get("alg")
    if algorithm not in (KEY_AGREEMENT, KEY_TRANSPORT):
        raise InvalidRequest(f"alg must be {KEY_AGREEMENT} or {KEY_TRANSPORT}")
    if found.get("enc") != CONTENT:
        raise InvalidRequest(f"enc must be {CONTENT}")
    _check_agreement(found, agreed=algorithm == KEY_AGREEMENT)
    _check_segments(parts, agreed=algorithm == KEY_AGREEMENT)
    return Sealed(token, algorithm, compact.kid_of(found), compact.media(found, "cty"))


def opened(sealed: Sealed, key: EncryptionKey | None) -> bytes:
    """The plaintext. Raises InvalidRequest, always with the same sentence."""
    if key is None or key.algorithm != sealed.algorithm:
        raise InvalidRequest(CANNOT_DECRYPT, detail="no such key")
    try:
        plaintext = jwe.decrypt_compact(
            sealed.token, _library_key(key.private_key), registry=_REGISTRY
        ).plaintext
    except Exception:
        # Whatever the library made of it, the sender learns nothing of how far it came.
        raise InvalidRequest(CANNOT_DECRYPT, detail="not decrypted") from None
    if plaintext is None:
        raise InvalidRequest(CANNOT_DECRYPT, detail="not decrypted")
    return plaintext


REPLY_KEY_MEMBERS = ("kty", "crv", "x", "y", "n", "e", "kid")
"""What is kept of a reply key with the stored answer; the rest is of no use, and of any length."""


class ReplySealer:
    """Encrypts answers to the key that came with the request (port AnswerSealer).

    ``key`` is that key, from which another sealer can be made for the same answer.
    """

    content_type = JOSE

    def __init__(self, jwk: Any) -> None:
        """Raises InvalidRequest with what is wrong with the key."""
        try:
            key = public_key(jwk, ENCRYPTION)
            algorithm = algorithm_of(jwk, ENCRYPTION)
        except UnusableKey as error:
            raise InvalidRequest(f"reply_jwk cannot be used: {error.sentence}") from None
        self._key = _library_key(key)
        self._header = {"alg": algorithm, "enc": CONTENT, "cty": "application/json"}
        kid = jwk.get("kid")
        if isinstance(kid, str) and kid and len(kid) <= compact.MAX_KID_LENGTH:
            self._header["kid"] = kid
        self.key: Mapping[str, Any] = _kept(jwk, self._header.get("kid"))

    def seal(self, body: bytes) -> bytes:
        return jwe.encrypt_compact(dict(self._header), body, self._key, registry=_REGISTRY).encode()


def _kept(jwk: Mapping[str, Any], kid: str | None) -> Mapping[str, Any]:
    known = {name: jwk[name] for name in REPLY_KEY_MEMBERS if name in jwk}
    return {**known, "kid": kid}


def _library_key(key: object) -> ECKey | RSAKey:
    if isinstance(key, ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey):
        return ECKey.import_key(key)
    if isinstance(key, rsa.RSAPrivateKey | rsa.RSAPublicKey):
        return RSAKey.import_key(key)
    raise TypeError("neither EC nor RSA")


def _check_agreement(found: Mapping[str, Any], *, agreed: bool) -> None:
    """RFC 7518, section 4.6.1. The point itself is looked at when it is used."""
    epk = found.get("epk")
    if not agreed:
        if {"epk", "apu", "apv"} & found.keys():
            raise InvalidRequest(f"epk, apu and apv go with {KEY_AGREEMENT} alone")
        return
    if not isinstance(epk, dict) or set(epk) != EPK:
        raise InvalidRequest(f"{KEY_AGREEMENT} needs an epk of {', '.join(sorted(EPK))} alone")
    if epk["kty"] != "EC" or epk["crv"] != "P-256":
        raise InvalidRequest("epk must be a key of the curve P-256")
    for name in ("apu", "apv"):
        value = found.get(name, "")
        if not isinstance(value, str) or len(value) > MAX_PARTY_LENGTH:
            raise InvalidRequest(f"{name} must be a string of up to {MAX_PARTY_LENGTH} characters")


def _check_segments(parts: list[bytes], *, agreed: bool) -> None:
    """Sizes that A256GCM has, the tag's above all: a short one can be guessed."""
    try:
        key, iv, _, tag = (compact.unpadded(part) for part in parts[1:])
    except ValueError:
        raise InvalidRequest("the parts of a JWE are in base64url without padding") from None
    if agreed and key:
        raise InvalidRequest(f"with {KEY_AGREEMENT} the encrypted key is empty")
    if not agreed and not 0 < len(key) <= MAX_ENCRYPTED_KEY_BYTES:
        raise InvalidRequest(f"the encrypted key has up to {MAX_ENCRYPTED_KEY_BYTES} bytes")
    if len(iv) != IV_BYTES or len(tag) != TAG_BYTES:
        raise InvalidRequest(f"{CONTENT} has an IV of {IV_BYTES} bytes and a tag of {TAG_BYTES}")

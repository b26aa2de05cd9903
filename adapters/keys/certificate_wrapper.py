"""A certificate's key as wrapping key: RSA, or EC on P-256 or P-384.

========  ==========================================================================================
RSA       RSAES-OAEP with SHA-256 (RFC 8017 section 7.1)
EC        ephemeral-static ECDH (NIST SP 800-56A), HKDF with SHA-256 (RFC 5869), AES-256-GCM; the
          ephemeral public key stands in the wrapped value
========  ==========================================================================================

Everybody may have the certificate, and what is encrypted to it says nothing of who did it. So the
wrapped value is signed by the same key (RSASSA-PSS, or ECDSA, with SHA-256): else whoever can
write to the store could put a key of their own into it, and rule the deployment.

The dates in the certificate are not looked at: a broker must open its store next year, too.
"""

from __future__ import annotations

import base64

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256, Hash
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from adapters.keys.root_secret import (
    ID_BYTES,
    SealBroken,
    Sealer,
    WrappingKeyError,
    derived,
)
from broker.model import Secret

ID_PREFIX = "certificate/"
MIN_RSA_BITS = 2048
MAX_RSA_BITS = 8192  # beyond it a start takes seconds
CURVES = (ec.SECP256R1, ec.SECP384R1)

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

VERSION = b"\x01"
LENGTH_BYTES = 2
PURPOSE = "certificate-wrapping"
_SIGNED_CONTEXT = b"remint/wrapped deployment key/"

_OAEP = padding.OAEP(mgf=padding.MGF1(SHA256()), algorithm=SHA256(), label=None)
_PSS = padding.PSS(mgf=padding.MGF1(SHA256()), salt_length=padding.PSS.DIGEST_LENGTH)


class CertificateWrapper:
    """A certificate's key pair (port ``deployment.KeyWrapper``). It never shows its private key."""

    __slots__ = ("_key", "id")

    def __init__(self, certificate: bytes, key: bytes, passphrase: Secret | None = None) -> None:
        """From PEM. Raises WrappingKeyError with what is wrong, never with the key."""
        self._key = _private_key(key, passphrase)
        spki = _spki(self._key.public_key())
        if _public_key_of(certificate) != spki:
            raise WrappingKeyError("the private key does not belong to the certificate")
        thumbprint = _digest(spki)[:ID_BYTES]
        self.id = ID_PREFIX + base64.urlsafe_b64encode(thumbprint).decode().rstrip("=")

    async def wrap(self, key: bytes) -> bytes:
        """Version byte, length of the signature (2 bytes), signature, encrypted key."""
        encrypted = self._encrypt(key)
        signature = self._sign(self._signed(encrypted))
        return VERSION + len(signature).to_bytes(LENGTH_BYTES, "big") + signature + encrypted

    async def unwrap(self, wrapped: bytes) -> bytes:
        """Raises SealBroken."""
        head = len(VERSION) + LENGTH_BYTES
        end = head + int.from_bytes(wrapped[len(VERSION) : head], "big")
        if wrapped[: len(VERSION)] != VERSION or len(wrapped) <= end:
            raise SealBroken("this is not a wrapped key of a known version")
        encrypted = wrapped[end:]
        try:
            self._verify(wrapped[head:end], self._signed(encrypted))
            return self._decrypt(encrypted)
        except (InvalidSignature, ValueError):
            raise SealBroken("the wrapped key was changed, or is another key's") from None

    def _signed(self, encrypted: bytes) -> bytes:
        return _SIGNED_CONTEXT + self.id.encode() + b"\0" + encrypted

    def _sign(self, data: bytes) -> bytes:
        if isinstance(self._key, rsa.RSAPrivateKey):
            return self._key.sign(data, _PSS, SHA256())
        return self._key.sign(data, ec.ECDSA(SHA256()))

    def _verify(self, signature: bytes, data: bytes) -> None:
        if isinstance(self._key, rsa.RSAPrivateKey):
            self._key.public_key().verify(signature, data, _PSS, SHA256())
        else:
            self._key.public_key().verify(signature, data, ec.ECDSA(SHA256()))

    def _encrypt(self, key: bytes) -> bytes:
        if isinstance(self._key, rsa.RSAPrivateKey):
            return self._key.public_key().encrypt(key, _OAEP)
        ephemeral = ec.generate_private_key(self._key.curve)
        point = _point(ephemeral.public_key())
        shared = ephemeral.exchange(ec.ECDH(), self._key.public_key())
        return point + self._sealer(shared, point).seal(key, point)

    def _decrypt(self, encrypted: bytes) -> bytes:
        if isinstance(self._key, rsa.RSAPrivateKey):
            return self._key.decrypt(encrypted, _OAEP)
        size = len(_point(self._key.public_key()))
        point, sealed = encrypted[:size], encrypted[size:]
        ephemeral = ec.EllipticCurvePublicKey.from_encoded_point(self._key.curve, point)
        shared = self._key.exchange(ec.ECDH(), ephemeral)
        return self._sealer(shared, point).open(sealed, point)

    def _sealer(self, shared: bytes, point: bytes) -> Sealer:
        """Of one wrapping: the info of the derivation names both public keys."""
        return Sealer(derived(shared, f"{PURPOSE}/{self.id}/{point.hex()}"))

    def __repr__(self) -> str:
        return f"CertificateWrapper({self.id})"


def _private_key(pem: bytes, passphrase: Secret | None) -> PrivateKey:
    """Raises WrappingKeyError."""
    password = passphrase.reveal().encode() if passphrase else None
    try:
        key = load_pem_private_key(pem, password=password if b"ENCRYPTED" in pem else None)
    except TypeError:
        raise WrappingKeyError(
            "the private key is encrypted; set keys.wrapping_passphrase"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        said = "this is no private key in PEM"
        if password is not None and b"ENCRYPTED" in pem:
            said += ", or keys.wrapping_passphrase is not its passphrase"
        raise WrappingKeyError(said) from None
    if isinstance(key, rsa.RSAPrivateKey):
        if not MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
            raise WrappingKeyError(
                f"the RSA key has {key.key_size} bits: use {MIN_RSA_BITS} to {MAX_RSA_BITS}"
            )
        return key
    if isinstance(key, ec.EllipticCurvePrivateKey):
        if not isinstance(key.curve, CURVES):
            raise WrappingKeyError(f"curve {key.curve.name} is not offered: use P-256 or P-384")
        return key
    raise WrappingKeyError("this kind of key is not offered: use RSA, P-256 or P-384")


def _public_key_of(pem: bytes) -> bytes:
    """The SubjectPublicKeyInfo of the first certificate. Raises WrappingKeyError."""
    try:
        return _spki(x509.load_pem_x509_certificate(pem).public_key())
    except (ValueError, x509.InvalidVersion, UnsupportedAlgorithm):
        raise WrappingKeyError("this is no certificate in PEM") from None


def _spki(key: CertificatePublicKeyTypes) -> bytes:
    """DER (RFC 5280 section 4.1.2.7)."""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _point(key: ec.EllipticCurvePublicKey) -> bytes:
    """The public key as SEC 1 section 2.3.3 writes it, uncompressed."""
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _digest(data: bytes) -> bytes:
    sha = Hash(SHA256())
    sha.update(data)
    return sha.finalize()

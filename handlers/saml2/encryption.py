"""XML Encryption 1.1 of an element for one recipient, written in canonical form.

Each element gets a content key and an initialisation vector of its own from the system's random
numbers: like the random part of a signature they are no part of what a retry must repeat, and a key
that came from the request would cover two texts where the profile changed in between. Why this is
written here and not left to libxmlsec says docs/decisions/0010.
"""

from __future__ import annotations

import secrets
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, padding
from cryptography.hazmat.primitives.asymmetric import padding as rsa_padding
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from broker.algorithms import (
    CBC_CIPHERS,
    CIPHER_BITS,
    RSA_1_5,
    RSA_OAEP,
    RSA_OAEP_MGF1P,
    XML_DIGESTS,
)
from broker.errors import CannotIssue
from broker.instance import Saml2Encryption
from handlers.saml2.escape import base64
from handlers.saml2.names import DSIG, XENC, XENC11

MAX_PREPARED_RECIPIENTS = 1024
MIN_RSA_BITS = 2048
MAX_RSA_BITS = 4096  # the floor and ceiling of our own keys
GCM_IV_BYTES = 12  # XML Encryption 1.1, section 5.2.4; the tag has 16 bytes
AES_BLOCK_BYTES = 16

_HASHES: dict[str, hashes.HashAlgorithm] = {
    XML_DIGESTS["sha1"]: hashes.SHA1(),  # noqa: S303  # OAEP needs no collision resistance
    XML_DIGESTS["sha256"]: hashes.SHA256(),
    XML_DIGESTS["sha384"]: hashes.SHA384(),
    XML_DIGESTS["sha512"]: hashes.SHA512(),
}
_MASKS = {XML_DIGESTS[name]: f"{XENC11}mgf1{name}" for name in XML_DIGESTS}


class Encryptor:
    """Encrypts elements for one recipient; made once, used many times."""

    def __init__(
        self, certificate: bytes, algorithm: str, key_transport: str, digest: str | None
    ) -> None:
        """Raises CannotIssue for a certificate or an algorithm that nothing is encrypted with."""
        if algorithm not in CIPHER_BITS:
            raise CannotIssue("this instance names no algorithm that assertions are encrypted with")
        self._key = recipient_key(certificate)
        self._scheme, method = _key_transport(key_transport, digest)
        self._key_bytes = CIPHER_BITS[algorithm] // 8
        self._content = _cbc if algorithm in CBC_CIPHERS else _gcm
        self._start = (
            f'<xenc:EncryptedData xmlns:xenc="{XENC}" Type="{XENC}Element">'
            f'<xenc:EncryptionMethod Algorithm="{algorithm}"></xenc:EncryptionMethod>'
            f'<ds:KeyInfo xmlns:ds="{DSIG}"><xenc:EncryptedKey>'
            f'<xenc:EncryptionMethod Algorithm="{key_transport}">{method}</xenc:EncryptionMethod>'
            "<xenc:CipherData><xenc:CipherValue>"
        )

    def encrypted(self, element: str) -> tuple[str, str]:
        """The ``xenc:EncryptedData`` of an element, and the text of its CipherValue.

        ``element`` declares every namespace that it uses.
        """
        content_key = secrets.token_bytes(self._key_bytes)
        cipher_value = base64(self._content(content_key, element.encode()))
        wrapped = base64(self._key.encrypt(content_key, self._scheme))
        return (
            f"{self._start}{wrapped}{_BETWEEN}{cipher_value}{_END}",
            cipher_value,
        )


def encryptor(options: Saml2Encryption) -> Encryptor:
    """The encryptor of an instance. Raises CannotIssue."""
    certificate = options.recipient.certificate
    if certificate is None:
        raise CannotIssue("this instance has no certificate of the service provider to encrypt for")
    return _prepared(certificate, options.algorithm, options.key_transport, options.digest)


def recipient_key(certificate: bytes) -> rsa.RSAPublicKey:
    """The key in a recipient's certificate (DER), which is not looked at otherwise: a service
    provider's certificate carries a key and proves nothing. Raises CannotIssue."""
    try:
        key = x509.load_der_x509_certificate(certificate).public_key()
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion):
        raise CannotIssue("the service provider's certificate cannot be read") from None
    if not isinstance(key, rsa.RSAPublicKey):
        raise CannotIssue("the service provider's certificate holds no RSA key to encrypt for")
    if not MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
        raise CannotIssue(
            f"the service provider's RSA key has {key.key_size} bits: "
            f"{MIN_RSA_BITS} to {MAX_RSA_BITS} are encrypted for"
        )
    return key


_BETWEEN = (
    "</xenc:CipherValue></xenc:CipherData></xenc:EncryptedKey></ds:KeyInfo>"
    "<xenc:CipherData><xenc:CipherValue>"
)
_END = "</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData>"

_prepared = lru_cache(maxsize=MAX_PREPARED_RECIPIENTS)(Encryptor)


def _key_transport(uri: str, digest: str | None) -> tuple[rsa_padding.AsymmetricPadding, str]:
    """How a content key is wrapped, and what EncryptionMethod says of it (section 5.5)."""
    if uri == RSA_1_5:
        return rsa_padding.PKCS1v15(), ""
    if uri == RSA_OAEP_MGF1P:
        # Its mask is SHA-1 by definition, and software in the field reads that digest alone.
        return _oaep(XML_DIGESTS["sha1"]), _digest_method(XML_DIGESTS["sha1"])
    if uri != RSA_OAEP:
        raise CannotIssue("this instance names no key transport that assertions are encrypted with")
    named = digest or XML_DIGESTS["sha256"]
    if named not in _HASHES:
        raise CannotIssue("this instance names no digest that keys are encrypted with")
    mask = f'<xenc11:MGF xmlns:xenc11="{XENC11}" Algorithm="{_MASKS[named]}"></xenc11:MGF>'
    return _oaep(named), _digest_method(named) + mask


def _digest_method(uri: str) -> str:
    return f'<ds:DigestMethod Algorithm="{uri}"></ds:DigestMethod>'


def _oaep(digest: str) -> rsa_padding.OAEP:
    chosen = _HASHES[digest]
    return rsa_padding.OAEP(rsa_padding.MGF1(chosen), chosen, None)


def _gcm(key: bytes, content: bytes) -> bytes:
    """Initialisation vector, cipher text, tag."""
    vector = secrets.token_bytes(GCM_IV_BYTES)
    return vector + AESGCM(key).encrypt(vector, content, None)


def _cbc(key: bytes, content: bytes) -> bytes:
    """Initialisation vector, cipher text; PKCS #7 is one of the paddings that section 5.2.1 has."""
    padder = padding.PKCS7(AES_BLOCK_BYTES * 8).padder()
    padded = padder.update(content) + padder.finalize()
    vector = secrets.token_bytes(AES_BLOCK_BYTES)
    writer = Cipher(algorithms.AES(key), modes.CBC(vector)).encryptor()
    return vector + writer.update(padded) + writer.finalize()

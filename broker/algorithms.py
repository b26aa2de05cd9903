"""The names of algorithms: JOSE's (RFC 7518, RFC 8037), and the URIs of XML security.

An instance names what signs by JOSE's name, for assertions too; ``XML_SIGNATURES`` is the way to
the URI. ``RS1`` (RFC 8812, section 2) is RSA with SHA-1. What is weak has a name of its own in
``LEGACY``, which settings must hold before an instance may ask for it.
"""

from __future__ import annotations

from collections.abc import Mapping

HMAC_ALGORITHMS = frozenset({"HS256", "HS384", "HS512"})
RSA_ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
EC_ALGORITHMS = frozenset({"ES256", "ES384", "ES512"})
EDWARDS_ALGORITHMS = frozenset({"EdDSA", "Ed25519"})  # RFC 8037, and RFC 9864's name of it
OIDC_ALGORITHMS = HMAC_ALGORITHMS | RSA_ALGORITHMS | EC_ALGORITHMS | EDWARDS_ALGORITHMS
UNSIGNED = "NONE"  # publishes, as in the reference, and is refused at issue

MIN_HMAC_SECRET_BYTES: Mapping[str, int] = {"HS256": 32, "HS384": 48, "HS512": 64}
"""RFC 7518, section 3.2: at least the size of the hash."""

RSA_SHA1 = "RS1"

_MORE_2001 = "http://www.w3.org/2001/04/xmldsig-more#"
_MORE_2007 = "http://www.w3.org/2007/05/xmldsig-more#"

XML_SIGNATURES: Mapping[str, str] = {
    RSA_SHA1: "http://www.w3.org/2000/09/xmldsig#rsa-sha1",
    "RS256": f"{_MORE_2001}rsa-sha256",
    "RS384": f"{_MORE_2001}rsa-sha384",
    "RS512": f"{_MORE_2001}rsa-sha512",
    "PS256": f"{_MORE_2007}sha256-rsa-MGF1",
    "PS384": f"{_MORE_2007}sha384-rsa-MGF1",
    "PS512": f"{_MORE_2007}sha512-rsa-MGF1",
    "ES256": f"{_MORE_2001}ecdsa-sha256",
    "ES384": f"{_MORE_2001}ecdsa-sha384",
    "ES512": f"{_MORE_2001}ecdsa-sha512",
    "Ed25519": "http://www.w3.org/2021/04/xmldsig-more#eddsa-ed25519",
}
"""JOSE's name of a signature algorithm to its URI (RFC 9231, section 2.3). Ed25519 has one, too,
which neither xmlsec1 1.2, libxmlsec 1.3 nor signxml 5 verifies: it is not offered."""

SAML2_ALGORITHMS = frozenset(XML_SIGNATURES)

XML_DIGESTS: Mapping[str, str] = {
    "sha1": "http://www.w3.org/2000/09/xmldsig#sha1",
    "sha256": "http://www.w3.org/2001/04/xmlenc#sha256",
    "sha384": "http://www.w3.org/2001/04/xmldsig-more#sha384",
    "sha512": "http://www.w3.org/2001/04/xmlenc#sha512",
}
"""Short name of a hash to its URI (XML Signature 1.1, section 6.2)."""

_ENC = "http://www.w3.org/2001/04/xmlenc#"
_ENC11 = "http://www.w3.org/2009/xmlenc11#"

XML_CIPHERS: Mapping[str, tuple[str, int]] = {
    "aes128-gcm": (f"{_ENC11}aes128-gcm", 128),
    "aes192-gcm": (f"{_ENC11}aes192-gcm", 192),
    "aes256-gcm": (f"{_ENC11}aes256-gcm", 256),
    "aes128-cbc": (f"{_ENC}aes128-cbc", 128),
    "aes192-cbc": (f"{_ENC}aes192-cbc", 192),
    "aes256-cbc": (f"{_ENC}aes256-cbc", 256),
}
"""Short name of a block cipher to its URI and the bits of its key (XML Encryption 1.1, 5.2)."""

CIPHER_BITS: Mapping[str, int] = dict(XML_CIPHERS.values())
CBC_CIPHERS = frozenset(uri for name, (uri, _) in XML_CIPHERS.items() if name.endswith("cbc"))
TRIPLE_DES = f"{_ENC}tripledes-cbc"
DEFAULT_CIPHER = f"{_ENC11}aes256-gcm"

RSA_1_5 = f"{_ENC}rsa-1_5"
RSA_OAEP_MGF1P = f"{_ENC}rsa-oaep-mgf1p"
RSA_OAEP = f"{_ENC11}rsa-oaep"
XML_KEY_TRANSPORTS: Mapping[str, str] = {
    "rsa-oaep-mgf1p": RSA_OAEP_MGF1P,
    "rsa-oaep": RSA_OAEP,
    "rsa-1_5": RSA_1_5,
}
"""Short name of a key transport to its URI (XML Encryption 1.1, section 5.5)."""

ENCRYPTION_BY_KIND: Mapping[str, frozenset[str]] = {
    "RSA": frozenset({"RSA-OAEP-256", "RSA-OAEP"}),
    "EC": frozenset({"ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A256KW"}),
    "OKP": frozenset({"ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A256KW"}),
}
"""By the kind of key (``kty``) what an ID token's key may be encrypted with (RFC 7518, 4.1)."""

OIDC_ENCRYPTION_ALGORITHMS = frozenset().union(*ENCRYPTION_BY_KIND.values())
DEFAULT_ENCRYPTION: Mapping[str, str] = {
    "RSA": "RSA-OAEP-256",
    "EC": "ECDH-ES+A256KW",
    "OKP": "ECDH-ES+A256KW",
}
OIDC_CONTENT_ALGORITHMS = frozenset({"A128GCM", "A256GCM", "A128CBC-HS256", "A256CBC-HS512"})
DEFAULT_CONTENT = "A256GCM"

LEGACY = ("sha1", "rsa-1_5", "cbc", "short-hmac")
"""Weak outputs, by the names that ``security.allow_legacy_output`` knows."""

DEFAULT_LEGACY = frozenset({"cbc"})


def uri(named: str, known: Mapping[str, str]) -> str:
    """The URI that a short name of ``known`` stands for; anything else as it is."""
    return known.get(named, named)


def short(named: str, known: Mapping[str, str]) -> str:
    """The short name of a URI of ``known``; anything else as it is."""
    return next((name for name, each in known.items() if each == named), named)


CIPHER_URIS: Mapping[str, str] = {name: each for name, (each, _) in XML_CIPHERS.items()}

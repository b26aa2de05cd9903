"""What the options of an instance for assertions and for ID tokens must keep to."""

from __future__ import annotations

import re
from collections.abc import Iterator

from broker.algorithms import (
    CBC_CIPHERS,
    CIPHER_BITS,
    ENCRYPTION_BY_KIND,
    HMAC_ALGORITHMS,
    LEGACY,
    MIN_HMAC_SECRET_BYTES,
    OIDC_ALGORITHMS,
    OIDC_CONTENT_ALGORITHMS,
    RSA_1_5,
    RSA_OAEP,
    RSA_SHA1,
    SAML2_ALGORITHMS,
    TRIPLE_DES,
    UNSIGNED,
    XML_CIPHERS,
    XML_DIGESTS,
    XML_KEY_TRANSPORTS,
)
from broker.output_options import (
    OidcEncryption,
    OidcOptions,
    Saml2Encryption,
    Saml2Options,
    SigningKey,
)

MAX_LIFETIME_SECONDS = 366 * 24 * 3600
KEY_REFERENCES = frozenset({"NONE", "JKU", "JWK", "X5U", "X5C", "X5T", "X5TS256"})
MADE_NAME_IDS = tuple(
    f"urn:oasis:names:tc:SAML:2.0:nameid-format:{kind}" for kind in ("persistent", "transient")
)
"""Formats whose identifiers are made, not taken from a profile (SAML 2.0 core, 8.3.7, 8.3.8)."""

PRIVATE_JWK_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]*")

Problem = tuple[str, str]


def saml2_problems(options: Saml2Options | None, legacy: frozenset[str]) -> Iterator[Problem]:
    """Every (field, sentence) that is wrong with the options for assertions."""
    if options is None:
        return
    if not options.audience:
        yield "saml2.audience", "name the service provider the assertions are for"
    if not options.issuer:
        yield "saml2.issuer", "name the issuer"
    yield from _lifetime_problems("saml2.lifetime_seconds", options.lifetime_seconds)
    if not all(name.rpartition("|")[2] and value for name, value in options.attribute_map.items()):
        yield "saml2.attribute_map", "give each attribute a name and say where its value is from"
    yield from _name_id_problems(options)
    yield from _signature_problems(options, legacy)
    if options.encryption is not None:
        yield from _encryption_problems(options.encryption, legacy)
        yield from _one_store(options, options.encryption)


def _name_id_problems(options: Saml2Options) -> Iterator[Problem]:
    made_here = options.name_id_format in MADE_NAME_IDS and not options.name_id_is_label
    if made_here and options.name_id_attribute is not None:
        yield (
            "saml2.name_id_attribute",
            "persistent and transient identifiers are made by the broker; leave the attribute out",
        )


def _signature_problems(options: Saml2Options, legacy: frozenset[str]) -> Iterator[Problem]:
    key = options.signing_key
    if key is None:
        return
    if key.algorithm not in SAML2_ALGORITHMS:
        offered = ", ".join(sorted(SAML2_ALGORITHMS - {RSA_SHA1}))
        yield "saml2.signing_key", f"sign with one of {offered}, or its URI"
    elif key.algorithm == RSA_SHA1 and "sha1" not in legacy:
        yield "saml2.signing_key", _refused_by_name("RSA with SHA-1", "sha1")
    if options.digest is not None and options.digest not in XML_DIGESTS:
        yield "saml2.digest", f"the digest is one of {', '.join(XML_DIGESTS)}, or its URI"
    elif options.digest == "sha1" and "sha1" not in legacy:
        yield "saml2.digest", _refused_by_name("SHA-1", "sha1")
    yield from _alias_problems("saml2", key)


def _encryption_problems(wanted: Saml2Encryption, legacy: frozenset[str]) -> Iterator[Problem]:
    if wanted.assertion and (wanted.attributes or wanted.name_id):
        yield (
            "saml2.encryption.assertion",
            "the whole assertion and its parts cannot both be encrypted; choose one",
        )
    if wanted.algorithm == TRIPLE_DES:
        yield "saml2.encryption.algorithm", "triple DES is refused; choose AES"
    elif wanted.algorithm not in CIPHER_BITS:
        yield "saml2.encryption.algorithm", f"choose one of {', '.join(XML_CIPHERS)}, or its URI"
    elif wanted.algorithm in CBC_CIPHERS and "cbc" not in legacy:
        yield "saml2.encryption.algorithm", _refused_by_name("AES in CBC mode", "cbc")
    yield from _transport_problems(wanted, legacy)
    yield from _recipient_problems(wanted)


def _transport_problems(wanted: Saml2Encryption, legacy: frozenset[str]) -> Iterator[Problem]:
    field = "saml2.encryption.key_transport"
    if wanted.key_transport not in XML_KEY_TRANSPORTS.values():
        yield field, f"choose one of {', '.join(XML_KEY_TRANSPORTS)}, or its URI"
    elif wanted.key_transport == RSA_1_5 and "rsa-1_5" not in legacy:
        yield field, _refused_by_name("RSA with PKCS #1 v1.5 padding", "rsa-1_5")
    if wanted.digest is None:
        return
    if wanted.digest not in XML_DIGESTS.values():
        yield "saml2.encryption.digest", f"choose one of {', '.join(XML_DIGESTS)}, or its URI"
    elif wanted.key_transport == RSA_1_5:
        yield "saml2.encryption.digest", "rsa-1_5 has no digest; leave it out"
    elif wanted.key_transport != RSA_OAEP and wanted.digest != XML_DIGESTS["sha1"]:
        # Its mask is SHA-1 whatever the digest: the other is the one that other software reads.
        yield "saml2.encryption.digest", "choose rsa-oaep as key transport for another digest"


def _recipient_problems(wanted: Saml2Encryption) -> Iterator[Problem]:
    recipient = wanted.recipient
    if recipient.certificate is not None:
        return
    if recipient.store is None:
        yield (
            "saml2.encryption.certificate",
            "give the service provider's certificate, or name a key store that has it",
        )
    if not recipient.alias:
        yield "saml2.encryption.alias", "name the service provider's certificate in the key store"


def _one_store(options: Saml2Options, wanted: Saml2Encryption) -> Iterator[Problem]:
    own = options.signing_key.store if options.signing_key else None
    other = wanted.recipient.store
    if own and other and own.location == other.location and own.password != other.password:
        yield "saml2.key_store", "one key store has one password"


def oidc_problems(options: OidcOptions | None, legacy: frozenset[str]) -> Iterator[Problem]:
    """Every (field, sentence) that is wrong with the options for ID tokens."""
    if options is None:
        return
    if not options.issuer:
        yield "oidc.issuer", "name the issuer"
    elif ":" in options.issuer and not _URI.fullmatch(options.issuer):
        yield "oidc.issuer", "with a colon it has to be a URI (RFC 7519, section 2)"
    if not options.audience or not all(options.audience):
        yield "oidc.audience", "name at least one audience"
    yield from _lifetime_problems("oidc.lifetime_seconds", options.lifetime_seconds)
    if not all(name and value for name, value in options.claim_map.items()):
        yield "oidc.claim_map", "give each claim a name and say where its value is from"
    if options.public_key_reference not in KEY_REFERENCES:
        yield "oidc.public_key_reference", f"use one of {', '.join(sorted(KEY_REFERENCES))}"
    key = options.signing_key
    if key.algorithm not in OIDC_ALGORITHMS | {UNSIGNED}:
        yield "oidc.algorithm", f"sign with one of {', '.join(sorted(OIDC_ALGORITHMS))}"
    yield from _secret_problems(key, legacy)
    yield from _alias_problems("oidc", key)
    if options.encryption is not None:
        yield from _jwe_problems(options.encryption)


def _secret_problems(key: SigningKey, legacy: frozenset[str]) -> Iterator[Problem]:
    if key.algorithm not in HMAC_ALGORITHMS:
        return
    size = len(key.secret.reveal().encode()) if key.secret else 0
    least = MIN_HMAC_SECRET_BYTES[key.algorithm]
    if not size:
        yield "oidc.client_secret", "an HS algorithm needs a client secret"
    elif size < least and "short-hmac" not in legacy:
        yield (
            "oidc.client_secret",
            (
                f"use at least {least} bytes (RFC 7518 section 3.2), or name short-hmac in "
                "security.allow_legacy_output"
            ),
        )


def _jwe_problems(wanted: OidcEncryption) -> Iterator[Problem]:
    offered = ENCRYPTION_BY_KIND.get(wanted.key.get("kty", ""))
    if offered is None:
        yield "oidc.encryption.key", f"write a public JWK of kty {', '.join(ENCRYPTION_BY_KIND)}"
    elif wanted.algorithm not in offered:
        yield "oidc.encryption.algorithm", f"use one of {', '.join(sorted(offered))} with this key"
    if PRIVATE_JWK_MEMBERS & wanted.key.keys():
        yield "oidc.encryption.key", "this key is private; write its public half, and replace it"
    if wanted.content not in OIDC_CONTENT_ALGORITHMS:
        yield "oidc.encryption.content", f"use one of {', '.join(sorted(OIDC_CONTENT_ALGORITHMS))}"


def _alias_problems(section: str, key: SigningKey) -> Iterator[Problem]:
    if key.store is not None and not key.alias:
        yield f"{section}.key_alias", "name the key in the key store"


def legacy_outputs(saml2: Saml2Options | None, oidc: OidcOptions | None) -> tuple[str, ...]:
    """The names of the weak outputs that options ask for (``algorithms.LEGACY``)."""
    found = set()
    if saml2 is not None:
        key, wanted = saml2.signing_key, saml2.encryption
        if key is not None and (key.algorithm == RSA_SHA1 or saml2.digest == "sha1"):
            found.add("sha1")
        if wanted is not None and wanted.algorithm in CBC_CIPHERS:
            found.add("cbc")
        if wanted is not None and wanted.key_transport == RSA_1_5:
            found.add("rsa-1_5")
    if oidc is not None and any(_secret_problems(oidc.signing_key, frozenset())):
        found.add("short-hmac")
    return tuple(name for name in LEGACY if name in found)


def _lifetime_problems(field: str, seconds: int) -> Iterator[Problem]:
    if not 1 <= seconds <= MAX_LIFETIME_SECONDS:
        yield field, f"choose 1 to {MAX_LIFETIME_SECONDS} seconds"


def _refused_by_name(what: str, name: str) -> str:
    return f"{what} is refused unless security.allow_legacy_output names {name}"

"""From the reference's wire to a safe one: what changes, and what a service provider notices."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from adapters.instances.forgerock import DEPLOYMENT, OIDC, OWN_KEY_RING, SAML2
from adapters.instances.forgerock_saml2 import LOGIN
from broker.algorithms import (
    CBC_CIPHERS,
    HMAC_ALGORITHMS,
    MIN_HMAC_SECRET_BYTES,
    RSA_1_5,
    RSA_OAEP_MGF1P,
    RSA_SHA1,
    XML_CIPHERS,
    XML_DIGESTS,
    XML_KEY_TRANSPORTS,
    XML_SIGNATURES,
    short,
    uri,
)
from broker.instance import ACTIVE_KEY
from broker.option_rules import MADE_NAME_IDS


@dataclass(frozen=True, slots=True)
class Change:
    """One key: what it was and what it becomes (None where it goes), and who ``notices`` what."""

    section: str
    key: str
    before: Any
    after: Any
    notices: str


@dataclass(frozen=True, slots=True)
class Safer:
    """The changed document, its changes, and what only a person can decide."""

    state: Mapping[str, Any]
    changes: tuple[Change, ...]
    advice: tuple[str, ...]


def made_safe(state: Mapping[str, Any]) -> Safer:
    """``state`` as a read answers it, which is left as it is."""
    changes = tuple(_changes(state))
    result = copy.deepcopy(dict(state))
    for change in changes:
        if change.after is None:
            result[change.section].pop(change.key, None)
        else:
            result[change.section][change.key] = change.after
    return Safer(result, changes, tuple(_advice(state)))


def _changes(state: Mapping[str, Any]) -> Iterator[Change]:
    section = state.get(SAML2)
    if isinstance(section, Mapping):
        for rule in _RULES:
            yield from rule(section)


def _changed(section: Mapping[str, Any], key: str, after: str | None, notices: str) -> Change:
    return Change(SAML2, key, section.get(key), after, notices)


def _on(section: Mapping[str, Any], key: str) -> bool:
    return str(section.get(key) or "").strip().lower() == "true"


def _encrypts(section: Mapping[str, Any]) -> bool:
    parts = ("saml2-encrypt-assertion", "saml2-encrypt-attributes", "saml2-encrypt-nameid")
    return any(_on(section, key) for key in parts)


def _signature(section: Mapping[str, Any]) -> Iterator[Change]:
    if not _on(section, "saml2-sign-assertion"):
        return
    named = short(str(section.get("saml2-signature-algorithm") or ""), XML_SIGNATURES)
    if named == RSA_SHA1:
        yield _changed(
            section,
            "saml2-signature-algorithm",
            "RS256",
            "SignatureMethod is rsa-sha256 and DigestMethod sha256, with the same key. Software "
            "that verifies rsa-sha1 alone refuses the assertion",
        )
    digest = short(str(section.get("saml2-digest-algorithm") or ""), XML_DIGESTS)
    if digest == "sha1":
        yield _changed(
            section, "saml2-digest-algorithm", None, "DigestMethod is the hash of the signature"
        )


def _unsigned(section: Mapping[str, Any]) -> Iterator[Change]:
    if _on(section, "saml2-sign-assertion"):
        return
    said = (
        "the assertion has a Signature by the realm's key. A service provider that verifies it "
        "needs the key's certificate; one that does not look passes over it"
    )
    own = section.get("saml2-keystore-filename")
    if own in (None, "", OWN_KEY_RING):
        yield _changed(section, "saml2-sign-assertion", "true", said)
        yield _changed(section, "saml2-signature-algorithm", "RS256", "(the same)")
        yield _changed(section, "saml2-keystore-filename", OWN_KEY_RING, "(the same)")
        yield _changed(section, "saml2-signature-key-alias", ACTIVE_KEY, "(the same)")


def _cipher(section: Mapping[str, Any]) -> Iterator[Change]:
    named = uri(str(section.get("saml2-encryption-algorithm") or ""), _CIPHERS)
    if _encrypts(section) and named in CBC_CIPHERS:
        after = _CIPHERS[short(named, _CIPHERS).replace("-cbc", "-gcm")]
        yield _changed(
            section,
            "saml2-encryption-algorithm",
            after,
            "EncryptionMethod of the data is AES-GCM (XML Encryption 1.1). Software that knows CBC "
            "alone cannot decrypt the assertion",
        )


def _transport(section: Mapping[str, Any]) -> Iterator[Change]:
    key = "saml2-key-transport-algorithm"
    if _encrypts(section) and uri(str(section.get(key) or ""), XML_KEY_TRANSPORTS) == RSA_1_5:
        yield _changed(
            section,
            key,
            RSA_OAEP_MGF1P,
            "EncryptionMethod of the key is rsa-oaep-mgf1p. Software that knows RSA 1.5 alone "
            "cannot decrypt the assertion",
        )


def _name_id(section: Mapping[str, Any]) -> Iterator[Change]:
    key = "saml2-name-id-is-label"
    name_format = section.get("saml2-name-id-format")
    if not _on(section, key) or name_format not in MADE_NAME_IDS:
        return
    if name_format == MADE_NAME_IDS[0]:
        said = (
            "the NameID of every subject is another one: a pseudonym in place of the user's name, "
            "with NameQualifier and SPNameQualifier. Accounts that are linked by the name have to "
            "be linked anew"
        )
    else:
        said = (
            "the NameID is another one in each assertion, in place of the user's name. A service "
            "provider that knows its users by it must take an attribute instead"
        )
    yield _changed(section, key, None, said)


def _authn_instant(section: Mapping[str, Any]) -> Iterator[Change]:
    key = "saml2-authn-instant"
    if section.get(key) != LOGIN:
        yield _changed(
            section,
            key,
            LOGIN,
            "AuthnInstant is the time of the login, for a session an earlier one than before. A "
            "service provider with a maximum age may ask for a new login",
        )


_CIPHERS: Mapping[str, str] = {name: each for name, (each, _) in XML_CIPHERS.items()}
_RULES: tuple[Callable[[Mapping[str, Any]], Iterator[Change]], ...] = (
    _signature,
    _unsigned,
    _cipher,
    _transport,
    _name_id,
    _authn_instant,
)


def _advice(state: Mapping[str, Any]) -> Iterator[str]:
    """What cannot be changed without knowing more than the document says."""
    oidc, deployment = state.get(OIDC), state.get(DEPLOYMENT)
    algorithm = oidc.get("oidc-signature-algorithm") if isinstance(oidc, Mapping) else None
    if algorithm in HMAC_ALGORITHMS:
        yield (
            f"oidc-client-secret is not shown here: if it is shorter than "
            f"{MIN_HMAC_SECRET_BYTES[algorithm]} bytes, give the client and the instance a longer "
            "one, or let RS256 sign, whose key is in the realm's JWKS"
        )
    hosts = deployment.get("deployment-tls-offload-engine-hosts") if deployment else None
    if hosts and "any" in hosts:
        yield (
            "deployment-tls-offload-engine-hosts has any: whoever reaches the broker can present "
            "any certificate; name the addresses of your proxies"
        )
    saml2 = state.get(SAML2)
    own = saml2.get("saml2-keystore-filename") if isinstance(saml2, Mapping) else None
    if own not in (None, "", OWN_KEY_RING) and not _on(saml2 or {}, "saml2-sign-assertion"):
        yield (
            "saml2-sign-assertion is false: sign, with a key of the instance's key store or the "
            "realm's, so that a service provider can tell a true assertion from a false one"
        )

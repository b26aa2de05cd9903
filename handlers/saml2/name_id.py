"""What the subject is called, and how that name is to be read (SAML 2.0 core, section 8.3).

A persistent identifier is a pairwise pseudonym: stable for one principal at one service provider,
another one at the next, and nobody without the deployment's key can tell whose it is. A transient
one is new in each assertion.
"""

from __future__ import annotations

import hmac
from base64 import b32encode

from broker.errors import CannotIssue
from broker.instance import Saml2Options
from broker.model import Claim, Principal, VerifiedClaims

PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
TRANSIENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"

#: Beside the attributes to map; no key of an attribute map holds a NUL, which XML cannot write.
NAME_ID_CLAIM = "\x00NameID"

IDENTIFIER_BYTES = 20
"""SAML 2.0 core, section 1.3.4: 160 bits, so that two subjects never share an identifier."""


def name_id_format(options: Saml2Options) -> str:
    """The format that the instance names; empty where it names none."""
    return (options.name_id_format or "").strip()


def is_pairwise(options: Saml2Options) -> bool:
    """Whether the NameID is a pseudonym that one service provider alone knows."""
    return name_id_format(options) == PERSISTENT and not options.name_id_is_label


def name_id(
    options: Saml2Options,
    principal: Principal,
    claim: Claim,
    claims: VerifiedClaims,
    key: bytes,
) -> str:
    """The text of the NameID. ``key`` makes pseudonyms; raises CannotIssue without one, and if the
    subject lacks the attribute that the instance names subjects by."""
    if options.name_id_attribute is not None:
        return _attribute(options.name_id_attribute, claims)
    if options.name_id_format is None or options.name_id_is_label:
        return principal.name
    named = name_id_format(options)
    if named == PERSISTENT:
        return pseudonym(key, principal.realm, principal.account, options.issuer, options.audience)
    if named == TRANSIENT:
        return transient(claim)
    return principal.name


def pseudonym(key: bytes, realm: str, account: str, issuer: str, audience: str) -> str:
    """The persistent identifier of an account for one pair of providers (section 8.3.7).

    Base32, since service providers keep identifiers in columns that may ignore letter case.
    """
    if not key:
        raise CannotIssue("this broker has no key to make persistent identifiers with")
    if not audience:
        raise CannotIssue("this instance names no audience, which a persistent identifier is for")
    digest = hmac.digest(key, _joined(realm, account, issuer, audience), "sha256")
    return b32encode(digest[:IDENTIFIER_BYTES]).decode()


def transient(claim: Claim) -> str:
    """An identifier for this one assertion (section 8.3.8), the same when a request is retried."""
    return "_" + hmac.digest(claim.entropy, TRANSIENT.encode(), "sha256")[:IDENTIFIER_BYTES].hex()


def _attribute(attribute: str, claims: VerifiedClaims) -> str:
    values = claims.values.get(NAME_ID_CLAIM)
    if not values:
        raise CannotIssue(
            f"the subject has no attribute {attribute}, which names subjects at this instance"
        )
    return values[0]


def _joined(*parts: str) -> bytes:
    """Each part with its length before it, so that no two lists of parts read alike."""
    encoded = [part.encode() for part in parts]
    return b"".join(len(part).to_bytes(4, "big") + part for part in encoded)

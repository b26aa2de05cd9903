"""What a publish over HTTP must name, though a stored instance has a default for it (3.4 to 3.6).

The reference refuses a structured document that leaves these out, so its clients send them. To
leave one out is to have forgotten it, and the answer says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from adapters.instances.forgerock import DEPLOYMENT, OIDC, SAML2
from adapters.instances.members import MAX_TEXT_LENGTH, Members

REQUIRED: Mapping[str, Mapping[str, str]] = {
    DEPLOYMENT: {
        "deployment-realm": 'say which realm, "/" for the root',
        "deployment-auth-target-mappings": "write an object; {} if there are none",
    },
    SAML2: {
        "saml2-token-lifetime-seconds": "say for how many seconds an assertion is valid",
        "saml2-attribute-map": "write an object; {} for no attributes",
        "saml2-encryption-algorithm-strength": 'write the bits of the key; "0" without encryption',
    },
    OIDC: {
        "oidc-token-lifetime-seconds": "say for how many seconds an ID token is valid",
        "oidc-claim-map": "write an object; {} for no claims",
    },
}

# Looked into only where something is signed or encrypted by them; another type is wrong anyway.
STRINGS: Mapping[str, tuple[str, ...]] = {
    SAML2: (
        "saml2-encryption-algorithm",
        "saml2-encryption-key-alias",
        "saml2-encryption-keystore-filename",
        "saml2-encryption-keystore-password",
        "saml2-key-transport-algorithm",
        "saml2-key-transport-digest",
        "saml2-keystore-filename",
        "saml2-keystore-password",
        "saml2-signature-algorithm",
        "saml2-signature-key-alias",
        "saml2-signature-key-password",
    ),
    OIDC: (
        "oidc-client-secret",
        "oidc-keystore-location",
        "oidc-keystore-password",
        "oidc-signature-key-alias",
        "oidc-signature-key-password",
    ),
}

ENCRYPTION_FLAGS = ("saml2-encrypt-assertion", "saml2-encrypt-attributes", "saml2-encrypt-nameid")
STRENGTH = "saml2-encryption-algorithm-strength"


def missing(state: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The (key, sentence) of each key that a publisher has to send and did not, or not so."""
    found: list[tuple[str, str]] = []
    for section, keys in REQUIRED.items():
        members = state.get(section)
        if isinstance(members, Mapping):
            found += [(key, said) for key, said in keys.items() if members.get(key) in (None, "")]
    return [*found, *_no_strings(state), *_without_strength(state.get(SAML2))]


def _no_strings(state: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for section, keys in STRINGS.items():
        given = state.get(section)
        members: Mapping[str, Any] = given if isinstance(given, Mapping) else {}
        for key in keys:
            if not isinstance(members.get(key), str | None):
                # In the words of whoever reads it, so that one that is read is told once.
                yield key, f"write a string of up to {MAX_TEXT_LENGTH} characters"


def _without_strength(section: Any) -> Iterator[tuple[str, str]]:
    members = Members(section if isinstance(section, Mapping) else None, SAML2, [])
    encrypts = any(members.flag(key) for key in ENCRYPTION_FLAGS)
    if encrypts and members.given(STRENGTH) and members.whole(STRENGTH, 0) == 0:
        yield STRENGTH, "write the bits of the algorithm's key: 128, 192 or 256"

"""Instances as the ForgeRock publish service writes them: every scalar a string."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from tests.support.planted import CLIENT_SECRET, MARK

STRUCTURED = "invocation_context_client_sdk"
KEYSTORE_PASSWORD = f"keystore-password-{MARK}"


def state(element: str = "orders", realm: str = "/", **changes: Any) -> dict[str, Any]:
    """An ``instance_state``; ``changes`` go by section, such as ``oidc={"oidc-issuer": …}``."""
    made = copy.deepcopy(_STATE)
    made["deployment-config"].update({"deployment-url-element": element, "deployment-realm": realm})
    sections = {
        "deployment": "deployment-config",
        "saml2": "saml2-config",
        "oidc": "oidc-id-token-config",
    }
    for section, members in changes.items():
        if section == "top":
            _change(made, members)
        else:
            _change(made[sections[section]], members)
    return made


def _change(section: dict[str, Any], members: Mapping[str, Any]) -> None:
    """Set each member; one that is set to ``...`` is taken out."""
    for name, value in members.items():
        if value is ...:
            section.pop(name, None)
        else:
            section[name] = value


def body(instance_state: Any, context: Any = STRUCTURED) -> dict[str, Any]:
    return {"invocation_context": context, "instance_state": instance_state}


def transform(given: str, wanted: str, *, end_session: bool = False) -> dict[str, Any]:
    return {
        "inputTokenType": given,
        "outputTokenType": wanted,
        "invalidateInterimOpenAMSession": end_session,
    }


_STATE: dict[str, Any] = {
    "deployment-config": {
        "deployment-url-element": "orders",
        "deployment-realm": "/",
        "deployment-auth-target-mappings": {
            "USERNAME": {
                "mapping-auth-index-type": "service",
                "mapping-auth-index-value": "ldapService",
            }
        },
        "deployment-tls-offload-engine-hosts": [],
    },
    "persist-issued-tokens-in-cts": "true",
    "supported-token-transforms": [
        transform("USERNAME", "SAML2"),
        transform("USERNAME", "OPENIDCONNECT"),
        transform("OPENAM", "OPENIDCONNECT"),
    ],
    "custom-token-transforms": [],
    "custom-token-validators": [],
    "custom-token-providers": [],
    "saml2-config": {
        "issuer-name": "https://sts.example.com",
        "saml2-sp-entity-id": "https://sp.example.com",
        "saml2-sp-acs-url": "https://sp.example.com/acs",
        "saml2-name-id-format": "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified",
        "saml2-token-lifetime-seconds": "600",
        "saml2-attribute-map": {"mail": "mail"},
        "saml2-sign-assertion": "true",
        "saml2-encrypt-assertion": "false",
        "saml2-encrypt-attributes": "false",
        "saml2-encrypt-nameid": "false",
        "saml2-encryption-algorithm-strength": "0",
        "saml2-keystore-filename": "remint:",
        "saml2-keystore-password": KEYSTORE_PASSWORD,
        "saml2-signature-key-alias": "active",
        "saml2-signature-key-password": "",
        "saml2-encryption-key-alias": None,
    },
    "oidc-id-token-config": {
        "oidc-issuer": "https://sts.example.com",
        "oidc-token-lifetime-seconds": "300",
        "oidc-audience": ["client"],
        "oidc-authorized-party": None,
        "oidc-signature-algorithm": "HS256",
        "oidc-public-key-reference-type": "NONE",
        "oidc-client-secret": CLIENT_SECRET,
        "oidc-claim-map": {"email": "mail"},
    },
}

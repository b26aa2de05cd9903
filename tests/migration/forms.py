"""One instance in every form that an export of it has."""

from __future__ import annotations

from typing import Any

from tests.support.planted import CLIENT_SECRET

FLAT: dict[str, list[str]] = {
    "deployment-url-element": ["same"],
    "deployment-realm": ["/"],
    "deployment-auth-target-mappings": ["USERNAME|service|ldapService|a=b,c=d"],
    "persist-issued-tokens-in-cts": ["true"],
    "supported-token-transforms": ["USERNAME|OPENIDCONNECT|TRUE", "OPENAM|OPENIDCONNECT|false"],
    "oidc-issuer": ["https://am.example.com"],
    "oidc-audience": ["one", "two"],
    "oidc-token-lifetime-seconds": ["300"],
    "oidc-signature-algorithm": ["HS256"],
    "oidc-client-secret": [CLIENT_SECRET],
    "oidc-claim-map": ["email=mail"],
}


def sections() -> dict[str, Any]:
    """The same with native types, as Amster writes it."""
    native: dict[str, Any] = {key: values[0] for key, values in FLAT.items()}
    for key in ("deployment-auth-target-mappings", "supported-token-transforms", "oidc-audience"):
        native[key] = FLAT[key]
    native |= {"oidc-claim-map": {"email": "mail"}, "oidc-token-lifetime-seconds": 300}
    native["persist-issued-tokens-in-cts"] = True
    oidc = {key: value for key, value in native.items() if key.startswith("oidc-")}
    place = {key: value for key, value in native.items() if key.startswith("deployment-")}
    rest = {key: value for key, value in native.items() if key not in oidc | place}
    return {"restStsGeneral": rest, "restStsDeployment": place, "restStsOidc": oidc}


def structured() -> dict[str, Any]:
    found = sections()
    pairs = [text.split("|") for text in FLAT["supported-token-transforms"]]
    place = found["restStsDeployment"] | {
        "deployment-auth-target-mappings": {
            "USERNAME": {
                "mapping-auth-index-type": "service",
                "mapping-auth-index-value": "ldapService",
                "mapping-context": {"a": "b", "c": "d"},
            }
        }
    }
    return {
        "persist-issued-tokens-in-cts": "true",
        "supported-token-transforms": [
            {
                "inputTokenType": given,
                "outputTokenType": wanted,
                "invalidateInterimOpenAMSession": flag == "TRUE",
            }
            for given, wanted, flag in pairs
        ],
        "deployment-config": place,
        "oidc-id-token-config": found["restStsOidc"],
    }


def _body(context: str, state: Any) -> dict[str, Any]:
    return {"invocation_context": f"invocation_context_{context}", "instance_state": state}


FORMS = {
    "structured": _body("client_sdk", structured()),
    "flat": _body("view_bean", FLAT),
    "state": structured(),
    "read": {"_id": "published_instances", "_rev": "", "same": structured()},
    "amster": {"metadata": {"realm": "/"}, "data": {"_id": "same", **sections()}},
    "bare": {"_id": "same", **sections()},
    "lines": "".join(f"{key}={text}\n" for key, values in FLAT.items() for text in values),
}

"""``/sts-publish``: instances."""

from __future__ import annotations

from typing import Any

from adapters.http.openapi.row import ADMINISTRATOR, Row, tagged
from adapters.http.publish import FLAT, STRUCTURED

ELEMENT = "orders"
_ISSUER, _AUDIENCE = "https://sts.example.com", "https://sp.example.com"

_STATE: dict[str, Any] = {
    "deployment-config": {
        "deployment-realm": "/",
        "deployment-url-element": ELEMENT,
        "deployment-auth-target-mappings": {},
    },
    "persist-issued-tokens-in-cts": "true",
    "supported-token-transforms": [
        {
            "inputTokenType": "USERNAME",
            "outputTokenType": output,
            "invalidateInterimOpenAMSession": False,
        }
        for output in ("SAML2", "OPENIDCONNECT")
    ],
    "saml2-config": {
        "issuer-name": _ISSUER,
        "saml2-sp-entity-id": _AUDIENCE,
        "saml2-sp-acs-url": f"{_AUDIENCE}/acs",
        "saml2-token-lifetime-seconds": "600",
        "saml2-attribute-map": {"mail": "mail"},
        "saml2-sign-assertion": "true",
        "saml2-encryption-algorithm-strength": "0",
    },
    "oidc-id-token-config": {
        "oidc-issuer": _ISSUER,
        "oidc-audience": ["client"],
        "oidc-token-lifetime-seconds": "600",
        "oidc-signature-algorithm": "RS256",
        "oidc-claim-map": {"email": "mail"},
    },
}
_FLAT: dict[str, list[str]] = {
    "deployment-realm": ["/"],
    "deployment-url-element": [f"{ELEMENT}-flat"],
    "persist-issued-tokens-in-cts": ["true"],
    "supported-token-transforms": ["USERNAME|OPENIDCONNECT|false"],
    "oidc-issuer": [_ISSUER],
    "oidc-audience": ["client"],
    "oidc-signature-algorithm": ["RS256"],
    "oidc-claim-map": ["email=mail"],
}
_STRUCTURED_EXAMPLE = {"invocation_context": STRUCTURED, "instance_state": _STATE}

ROWS = tagged(
    "Instances",
    (
        Row(
            "POST",
            "/sts-publish/rest",
            "Publish an instance.",
            action="create",
            needs_action=False,
            takes="instance.publish",
            gives="instance.published",
            statuses=(201,),
            heads=("Location", "ETag"),
            refusals=(404, 409),
            examples={
                "structured": _STRUCTURED_EXAMPLE,
                "flat": {"invocation_context": FLAT, "instance_state": _FLAT},
            },
        ),
        Row(
            "GET",
            "/sts-publish/rest",
            "Read every instance of the realms that the caller administers.",
            gives="instances",
        ),
        Row(
            "GET",
            "/sts-publish/rest/{instance}",
            "Read an instance; secrets are shown as (unchanged).",
            gives="instance",
            heads=("ETag",),
            refusals=(404,),
        ),
        Row(
            "PUT",
            "/sts-publish/rest/{instance}",
            "Update an instance; a secret that is (unchanged) stays what it was.",
            takes="instance.publish",
            gives="instance.updated",
            parameters=("ifMatch", "ifNoneMatch"),
            heads=("ETag",),
            refusals=(404, 409, 412),
            examples={"structured": _STRUCTURED_EXAMPLE},
        ),
        Row(
            "DELETE",
            "/sts-publish/rest/{instance}",
            "Delete an instance.",
            gives="removed",
            parameters=("ifMatch",),
            refusals=(404, 409, 412),
        ),
        *(
            Row(
                "GET",
                path,
                "There are no SOAP instances.",
                statuses=(),
                refusals=(501,),
            )
            for path in ("/sts-publish/soap", "/sts-publish/soap/{instance}")
        ),
    ),
    who=ADMINISTRATOR,
)

"""Whom a realm trusts: issuers, authorities, and the modules and chains that check logins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.http.openapi import examples
from adapters.http.openapi.row import ADMINISTRATOR, REALM, Row, tagged

_RFC_7517_KEY = {
    "kty": "EC",
    "crv": "P-256",
    "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
    "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
    "use": "sig",
    "kid": "1",
}
"""Appendix A.1, for signatures."""


def _rows(path: str, parameter: str, what: str, example: Mapping[str, Any]) -> tuple[Row, ...]:
    """The five that named rows of a realm have in common; ``what`` names their schemas too."""
    one = f"{path}/{{{parameter}}}"
    article = "an" if what[0] in "aeiou" else "a"
    shown = f"{article} {what.replace('.', ' ')}"
    unnamed = {key: value for key, value in example.items() if key != "name"}
    return (
        Row(
            "POST",
            path,
            f"Make {shown}.",
            action="create",
            needs_action=False,
            takes=what,
            gives=f"{what}.shown",
            statuses=(201,),
            refusals=(409,),
            examples={"create": example},
        ),
        Row("GET", path, f"List every {what.replace('.', ' ')}.", gives=f"{what}.list"),
        Row("GET", one, f"Read {shown}.", gives=f"{what}.shown", refusals=(404,)),
        Row(
            "PUT",
            one,
            f"Write {shown} anew, or make it.",
            takes=f"{what}.put",
            gives=f"{what}.shown",
            statuses=(200, 201),
            parameters=("ifMatch",),
            refusals=(409, 412),
            examples={"put": unnamed},
        ),
        Row(
            "DELETE",
            one,
            f"Delete {shown}.",
            gives=f"{what}.shown",
            parameters=("ifMatch",),
            refusals=(404, 409, 412),
        ),
    )


_BELOW = f"/json{REALM}/authentication"

ROWS = (
    *tagged(
        "Trust",
        (
            *_rows(
                f"/json{REALM}/trusted-issuers",
                "issuer",
                "issuer",
                {
                    "name": "partner",
                    "issuer": "https://idp.example.com",
                    "audiences": ["https://sts.example.com"],
                    "jwks": {"keys": [_RFC_7517_KEY]},
                },
            ),
            *_rows(
                f"/json{REALM}/certificate-authorities",
                "authority",
                "authority",
                {
                    "name": "partner",
                    "anchors": examples.CERTIFICATE,
                    "subject": "email",
                    "revocation": "off",
                },
            ),
        ),
        who=ADMINISTRATOR,
    ),
    *tagged(
        "Who checks logins",
        (
            *_rows(f"{_BELOW}/modules", "module", "module", {"name": "codes", "kind": "totp"}),
            *_rows(
                f"{_BELOW}/chains",
                "chain",
                "chain",
                {"name": "strong", "modules": [{"module": "codes", "flag": "required"}]},
            ),
            *_rows(
                f"{_BELOW}/defaults",
                "type",
                "default",
                {"name": "USERNAME", "target": "service|strong"},
            ),
        ),
        who=ADMINISTRATOR,
    ),
)

"""Signing keys of a realm, and the keys that it shows."""

from __future__ import annotations

from adapters.http.openapi import examples
from adapters.http.openapi.row import ADMINISTRATOR, REALM, Row, tagged

_KEYS = f"/json{REALM}/keys"

ROWS = (
    *tagged(
        "Keys",
        (
            Row("GET", _KEYS, "List the signing keys of a realm.", gives="keys"),
            Row(
                "POST",
                _KEYS,
                "Make a key that will sign once it is rotated to.",
                action="generate",
                takes="key.algorithm",
                gives="key",
                statuses=(201,),
                refusals=(409,),
                examples={"generate": {"algorithm": "ES256"}},
            ),
            Row(
                "POST",
                _KEYS,
                "Have the next key of an algorithm sign.",
                action="rotate",
                takes="key.algorithm",
                gives="key",
                refusals=(409,),
                examples={"rotate": {"algorithm": "ES256"}},
            ),
            Row(
                "POST",
                _KEYS,
                "Bring a key of one's own.",
                action="import",
                takes="key.import",
                gives="key",
                statuses=(201,),
                refusals=(409,),
                examples={"import": {"key": examples.KEY, "algorithm": "ES256", "now": False}},
            ),
            Row(
                "POST",
                _KEYS,
                "Take a key back: nothing that it signed stands any more.",
                action="revoke",
                takes="key.revoke",
                gives="key.revoked",
                refusals=(404, 409),
                examples={"revoke": {"kid": examples.KID}},
            ),
            Row(
                "GET",
                _KEYS + "/{kid}",
                "Read a key's state and its certificate.",
                gives="key.certified",
                refusals=(404,),
            ),
        ),
        who=ADMINISTRATOR,
    ),
    *tagged(
        "Keys",
        (
            Row(
                "GET",
                path,
                "Read the public keys of a realm (RFC 7517): those that sign, and those that "
                "requests are encrypted to.",
                gives="jwks",
                heads=("Cache-Control",),
                refusals=(404,),
                crest=False,
            )
            for path in ("/oauth2/jwks", "/oauth2/realms/{realm}/jwks")
        ),
    ),
)

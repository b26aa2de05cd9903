"""``/rest-sts``: translate, validate and cancel."""

from __future__ import annotations

from adapters.http.openapi import examples
from adapters.http.openapi.row import CERTIFICATE, Row, tagged
from adapters.http.query import TRANSLATE_BATCH
from broker.model import OPENIDCONNECT, SAML2

PATH = "/rest-sts/{instance}"
IDEMPOTENT = ("idempotencyKey", *("traceparent", "tracestate"))
_OF_TRANSLATIONS = (401, 403, 404, 409, 410, 429, 500)
_SHOWN = {
    "idToken": {"token_type": OPENIDCONNECT, "oidc_id_token": examples.ID_TOKEN},
    "assertion": {"token_type": SAML2, "saml2_token": examples.ASSERTION},
}

ROWS = tagged(
    "Tokens",
    (
        Row(
            "POST",
            PATH,
            "Ask for one token in exchange for another.",
            action="translate",
            takes="translate",
            gives="answer",
            who=CERTIFICATE,
            parameters=IDEMPOTENT,
            refusals=_OF_TRANSLATIONS,
            examples={
                "passwordForIdToken": examples.pair(examples.BY_PASSWORD, examples.WANTS_ID_TOKEN),
                "passwordForAssertion": examples.pair(
                    examples.BY_PASSWORD, examples.WANTS_ASSERTION
                ),
                "sessionForIdToken": examples.pair(examples.BY_SESSION, examples.WANTS_ID_TOKEN),
                "sessionForAssertion": examples.pair(examples.BY_SESSION, examples.WANTS_ASSERTION),
            },
        ),
        Row(
            "POST",
            PATH,
            "Ask for many tokens in one request; each succeeds or fails by itself.",
            action=TRANSLATE_BATCH,
            takes="translate.batch",
            gives="translate.batch.answer",
            who=CERTIFICATE,
            parameters=IDEMPOTENT,
            refusals=_OF_TRANSLATIONS,
            examples={
                "batch": {
                    "requests": [
                        examples.pair(examples.BY_PASSWORD, examples.WANTS_ID_TOKEN),
                        examples.pair(examples.BY_PASSWORD, examples.WANTS_ASSERTION),
                    ]
                }
            },
        ),
        Row(
            "POST",
            PATH,
            "Ask whether a token still stands.",
            action="validate",
            takes="validate",
            gives="validate.answer",
            refusals=(404, 409),
            examples={
                f"validate.{name}": {"validated_token_state": state}
                for name, state in _SHOWN.items()
            },
        ),
        Row(
            "POST",
            PATH,
            "Take a token back; one that is gone already is none the less cancelled.",
            action="cancel",
            takes="cancel",
            gives="cancel.answer",
            refusals=(404, 409),
            examples={
                f"cancel.{name}": {"cancelled_token_state": state} for name, state in _SHOWN.items()
            },
        ),
    ),
)

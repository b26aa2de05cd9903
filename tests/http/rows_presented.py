"""The mistakes that a validate or a cancel can make, and what is no mistake."""

from __future__ import annotations

from broker.model import OPENIDCONNECT, SAML2
from tests.http.rows import (
    EXPIRED_ASSERTION,
    EXPIRED_JWT,
    LIVE,
    SAML,
    Row,
    cancel,
    encrypted,
    shown_assertion,
    shown_id_token,
    validate,
)
from tests.support.door import session_input, user_input

PRESENTED = [
    row
    for made, action in ((validate, "validate"), (cancel, "cancel"))
    for row in (
        made(
            f"{action}: root element another",
            400,
            shown_assertion(f'<saml:Response xmlns:saml="{SAML}"/>'),
        ),
        made(
            f"{action}: Assertion without a namespace", 400, shown_assertion('<Assertion ID="x"/>')
        ),
        made(
            f"{action}: Assertion without ID",
            400,
            shown_assertion(f'<saml:Assertion xmlns:saml="{SAML}"/>'),
        ),
        made(f"{action}: assertion not XML", 400, shown_assertion("nothing like XML")),
        made(
            f"{action}: assertion cut short",
            400,
            shown_assertion(f'<saml:Assertion xmlns:saml="{SAML}" ID="x">'),
        ),
        made(f"{action}: assertion empty", 400, shown_assertion("")),
        made(f"{action}: EncryptedAssertion empty", 400, shown_assertion(encrypted(""))),
        made(
            f"{action}: EncryptedData empty",
            400,
            shown_assertion(encrypted("<xenc:EncryptedData/>")),
        ),
        made(
            f"{action}: CipherData empty",
            400,
            shown_assertion(
                encrypted("<xenc:EncryptedData><xenc:CipherData/></xenc:EncryptedData>")
            ),
        ),
        made(
            f"{action}: assertion with a DOCTYPE",
            400,
            shown_assertion(f'<!DOCTYPE a><saml:Assertion xmlns:saml="{SAML}" ID="x"/>'),
        ),
        made(f"{action}: no saml2_token", 400, {"token_type": SAML2}),
        made(f"{action}: saml2_token not a string", 400, shown_assertion({})),
        made(f"{action}: no oidc_id_token", 400, {"token_type": OPENIDCONNECT}),
        made(f"{action}: oidc_id_token not a string", 400, shown_id_token(12)),
        made(f"{action}: no token_type", 400, {"oidc_id_token": "x"}),
        made(f"{action}: token_type a number", 400, {**shown_id_token("x"), "token_type": 3}),
        made(f"{action}: type USERNAME", 400, user_input()),
        made(f"{action}: type OPENAM", 400, session_input(LIVE)),
        made(f"{action}: type unknown", 400, {"token_type": "RIDDLE"}),
        made(
            f"{action}: type this instance never issues",
            400,
            shown_id_token("x"),
            instance="assertions-only",
        ),
        made(f"{action}: persistence disabled", 409, shown_id_token("x"), instance="keeps-nothing"),
        made(f"{action}: persistence disabled, state empty", 409, {}, instance="keeps-nothing"),
        made(
            f"{action}: persistence disabled, type USERNAME",
            409,
            user_input(),
            instance="keeps-nothing",
        ),
        Row(
            f"{action}: persistence disabled, no state",
            400,
            {},
            query=f"_action={action}",
            instance="keeps-nothing",
        ),
    )
]
INVALID = {"token_valid": False}
NO_ERRORS = [
    validate("ID token that is no JWT", 200, shown_id_token("no JWT at all"), answer=INVALID),
    validate("ID token empty", 200, shown_id_token(""), answer=INVALID),
    validate("ID token expired", 200, shown_id_token(EXPIRED_JWT), answer=INVALID),
    validate("assertion expired", 200, shown_assertion(EXPIRED_ASSERTION), answer=INVALID),
    validate(
        "assertion never issued",
        200,
        shown_assertion(f'<saml:Assertion xmlns:saml="{SAML}" ID="s2"/>'),
        answer=INVALID,
    ),
    validate(
        "EncryptedAssertion never issued",
        200,
        shown_assertion(
            encrypted(
                "<xenc:EncryptedData><xenc:CipherData><xenc:CipherValue>AAAA</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData>"
            )
        ),
        answer=INVALID,
    ),
    cancel(
        "ID token never issued",
        200,
        shown_id_token("no JWT"),
        answer={"result": "OPENIDCONNECT token cancelled successfully."},
    ),
]

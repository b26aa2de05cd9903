"""The mistakes that a translate can make in its states."""

from __future__ import annotations

from typing import Any

from broker.model import OPENIDCONNECT, SAML2, USERNAME, X509
from tests.http.rows import (
    BOBO,
    ENDED,
    IDLE,
    LIVE,
    Row,
    cancel,
    oidc,
    saml2,
    shown_id_token,
    translate,
    validate,
    without,
)
from tests.support.door import ASSERTION, ID_TOKEN, session_input, user_input
from tests.support.planted import MARK

OPAQUE = {"token_type": "OPAQUE"}
ID_TOKENS = "id-tokens"

NOT_ENCODED = "bm90IGEgY2VydGlmaWNhdGU="  # base64 of something that is no certificate

ODD_STATES: tuple[Any, ...] = ([], ["x"], "text", 7, True)
STATES = [
    row
    for value in ODD_STATES
    for row in (
        translate(f"input state is {value!r}", 400, value, ID_TOKEN),
        translate(f"output state is {value!r}", 400, user_input(), value),
        validate(f"validated state is {value!r}", 400, value),
        cancel(f"cancelled state is {value!r}", 400, value),
    )
]
MISSING_STATES = [
    translate("no input state", 400, None, ID_TOKEN),
    translate("no output state", 400, user_input(), None),
    Row("input state null", 400, {"input_token_state": None, "output_token_state": ID_TOKEN}),
    Row("output state null", 400, {"input_token_state": user_input(), "output_token_state": None}),
    translate("input state empty", 400, {}, ID_TOKEN),
    translate("output state empty", 400, user_input(), {}),
    Row("no validated state", 400, {}, query="_action=validate"),
    validate("validated state null", 400, None),
    Row("validated state of the wrong name", 400, {"token_state": {}}, query="_action=validate"),
    Row("no cancelled state", 400, {}, query="_action=cancel"),
    cancel("cancelled state null", 400, None),
]
TOKEN_TYPES = [
    translate("no input token_type", 400, without(user_input(), "token_type"), ID_TOKEN),
    translate("input token_type a number", 400, {**user_input(), "token_type": 1}, ID_TOKEN),
    translate("input token_type null", 400, {**user_input(), "token_type": None}, ID_TOKEN),
    translate("input token_type empty", 400, {**user_input(), "token_type": ""}, ID_TOKEN),
    translate("no output token_type", 400, user_input(), without(ID_TOKEN, "token_type")),
    translate("output token_type a list", 400, user_input(), {**ID_TOKEN, "token_type": []}),
    translate(
        "input token_type in lower case", 400, {**user_input(), "token_type": "username"}, ID_TOKEN
    ),
    translate(
        "output token_type in lower case",
        400,
        user_input(),
        {**ID_TOKEN, "token_type": "openidconnect"},
    ),
    translate("input type unknown", 400, {"token_type": "RIDDLE"}, ID_TOKEN),
    translate("output type unknown", 400, user_input(), {"token_type": "RIDDLE"}),
    translate("pair not enabled", 400, user_input(), ID_TOKEN, instance="assertions-only"),
    translate("input as output", 400, user_input(), {"token_type": USERNAME}),
    translate("output as input", 400, {"token_type": SAML2}, ID_TOKEN),
    translate(
        "input type enabled but not read here",
        400,
        {"token_type": X509},
        ASSERTION,
        instance="not-yet",
    ),
]
INPUTS = [
    translate("no username", 400, without(user_input(), "username"), ID_TOKEN),
    translate("no password", 400, without(user_input(), "password"), ID_TOKEN),
    translate("username not a string", 400, {**user_input(), "username": 1}, ID_TOKEN),
    translate("password not a string", 400, {**user_input(), "password": ["x"]}, ID_TOKEN),
    translate("username null", 400, {**user_input(), "username": None}, ID_TOKEN),
    translate("password empty", 400, user_input(password=""), ID_TOKEN),
    translate("no session_id", 400, {"token_type": "OPENAM"}, ID_TOKEN),
    translate("session_id not a string", 400, {**session_input(""), "session_id": 5}, ID_TOKEN),
    translate("session_id empty", 400, session_input(""), ID_TOKEN),
    translate("no oidc_id_token", 400, {"token_type": OPENIDCONNECT}, OPAQUE, instance=ID_TOKENS),
    *(
        translate(
            f"oidc_id_token is {value!r}", 400, shown_id_token(value), OPAQUE, instance=ID_TOKENS
        )
        for value in (None, "", 7, ["e30.e30.e30"])
    ),
    translate(
        "no issuer is trusted in the realm of the instance",
        400,
        shown_id_token("e30.e30."),
        OPAQUE,
        instance=ID_TOKENS,
    ),
    translate("wrong password", 401, user_input(password=f"wrong-{MARK}"), ID_TOKEN),
    translate("unknown user", 401, user_input(name="nobody"), ID_TOKEN),
    translate("name in another letter case", 401, user_input(name="DEMO"), ID_TOKEN),
    translate("inactive user", 401, user_input(name="dormant"), ID_TOKEN),
    translate("session unknown", 401, session_input(f"AQIC5-{MARK}"), ID_TOKEN),
    translate("session logged out", 401, session_input(ENDED), ID_TOKEN),
    translate("session expired", 401, session_input(IDLE), ID_TOKEN),
    translate(
        "session of the root realm in a sub realm",
        403,
        session_input(LIVE),
        ASSERTION,
        instance="fred/bobo/inside",
    ),
    translate("session of a sub realm in the root realm", 403, session_input(BOBO), ASSERTION),
    translate(
        "user of the root realm in a sub realm",
        401,
        user_input(name="rooted"),
        ASSERTION,
        instance="fred/bobo/inside",
    ),
]
OUTPUTS = [
    saml2("no subject_confirmation", 400),
    saml2("subject_confirmation null", 400, subject_confirmation=None),
    saml2("subject_confirmation unknown", 400, subject_confirmation="MAGIC"),
    saml2("subject_confirmation in lower case", 400, subject_confirmation="bearer"),
    saml2("subject_confirmation not a string", 400, subject_confirmation=True),
    saml2("subject_confirmation a list", 400, subject_confirmation=["BEARER"]),
    saml2("HOLDER_OF_KEY without proof_token_state", 400, subject_confirmation="HOLDER_OF_KEY"),
    *(
        saml2(
            f"{method}: proof_token_state without a certificate",
            400,
            subject_confirmation=method,
            proof_token_state={},
        )
        for method in ("HOLDER_OF_KEY", "BEARER", "SENDER_VOUCHES")
    ),
    saml2(
        "proof_token_state not an object",
        400,
        subject_confirmation="HOLDER_OF_KEY",
        proof_token_state="x",
    ),
    saml2(
        "proof certificate no certificate",
        400,
        subject_confirmation="HOLDER_OF_KEY",
        proof_token_state={"base64EncodedCertificate": NOT_ENCODED},
    ),
    saml2(
        "proof certificate not base64",
        400,
        subject_confirmation="HOLDER_OF_KEY",
        proof_token_state={"base64EncodedCertificate": "%%%"},
    ),
    oidc("no allow_access", 400),
    oidc("allow_access false", 400, allow_access=False),
    oidc("allow_access the string true", 400, allow_access="true"),
    oidc("allow_access a number", 400, allow_access=1),
    oidc("allow_access null", 400, allow_access=None),
    oidc("nonce not a string", 400, allow_access=True, nonce=7),
    translate("algorithm NONE at issue", 400, user_input(), ID_TOKEN, instance="unsigned"),
    translate("named key is gone", 409, user_input(), ID_TOKEN, instance="keyless"),
]

"""What surrounds every request, and the actions of `/rest-sts`."""

from __future__ import annotations

from tests.rest_sts.rows import Asked, Section, better, own, supported, tested
from tests.support.door import ASSERTION, ELEMENT, ID_TOKEN, user_input

STS = f"/rest-sts/{ELEMENT}"
TRANSLATION = {"input_token_state": user_input(), "output_token_state": ID_TOKEN}
REFUSING = "http/test_publish_refusals::"

ENVELOPE = Section(
    "Paths and envelope",
    "Common to every endpoint.",
    (
        supported(
            "`/rest-sts/<realm>/<url element>`",
            "The whole path, letter case included; in the root realm the element alone. `/openam` "
            "and `/am` may stand in front.",
            Asked("POST", f"{STS}?_action=translate", 200, TRANSLATION),
            Asked("POST", f"/am{STS}?_action=translate", 200, TRANSLATION),
            tested("http/test_translate::test_sub_realm"),
        ),
        supported(
            "`?realm=` and realm aliases",
            "Not looked at below `/rest-sts`, as in AM.",
            Asked("POST", f"{STS}?_action=translate&realm=/fred/bobo", 200, TRANSLATION),
        ),
        supported(
            "`_action`",
            "`translate`, `validate` and `cancel`, to the letter, without a session; one that is "
            "sent does no harm.",
            Asked("POST", f"{STS}?_action=translate", 200, TRANSLATION, who="admin"),
            tested("http/test_validate_cancel::test_sessions_do_not_matter"),
        ),
        supported(
            "`Content-Type`",
            "Not looked at for actions; create and update insist on one.",
            tested(
                "http/test_translate::test_what_is_ignored", REFUSING + "test_missing_content_type"
            ),
        ),
        supported(
            "`Accept-API-Version`",
            "`protocol` up to 2.1, which is also what is meant without it; `resource` is ignored.",
            Asked(
                "POST",
                f"{STS}?_action=translate",
                200,
                TRANSLATION,
                headers={"Accept-API-Version": "protocol=1.0,resource=7"},
            ),
            tested("http/test_translate::test_protocol_versions"),
        ),
        supported(
            "`X-HTTP-Method-Override`",
            "On a POST.",
            Asked("POST", STS, 501, headers={"X-HTTP-Method-Override": "GET"}),
            tested("http/test_crest_parameters::test_method_override"),
        ),
        supported(
            "`_prettyPrint`, `_fields`",
            "On every endpoint.",
            tested(
                "http/test_crest_parameters::test_pretty_print",
                "http/test_crest_parameters::test_fields_of_an_action",
            ),
        ),
        supported(
            "answers",
            "`application/json;charset=UTF-8`, `Cache-Control: no-cache`, the result alone.",
            tested("http/test_translate::test_response_head"),
        ),
        better(
            "an AM behind the broker",
            "None is needed. Where a realm says so, [one checks logins and "
            "sessions](auth-remote-am.md) by the calls that AM's own STS makes; if it cannot be "
            "asked that is a 503, where AM's STS answers 500.",
            tested(
                "authentication/test_remote_am::test_a_password",
                "authentication/test_remote_am::test_a_session",
                "authentication/test_remote_am_odd::test_an_am_that_is_not_there",
            ),
        ),
        supported(
            "`/json/authenticate`, `/json/sessions`",
            "Answer as AM: users and sessions are the broker's own.",
            tested("http/test_login::test_login", "http/test_sessions::test_validate"),
        ),
        supported(
            "`/json/authenticate` step by step",
            "`authId` and `callbacks` (name and password callbacks) until all is known; "
            "`authIndexType` `service` and `module`, also as `service=` and `module=`; "
            "`noSession`.",
            Asked("POST", "/json/authenticate", 200, members=("authId", "callbacks")),
            tested(
                "authentication/authenticate/test_authenticate::test_what_a_login_asks",
                "authentication/authenticate/test_authenticate::test_a_chain_asked_step_by_step",
                "authentication/authenticate/test_authenticate::test_targets_that_are_not_there",
            ),
        ),
        better(
            "errors",
            "`code`, `reason`, `message`, and `detail` where there is more to say. Messages are "
            "plain sentences without class names, and echo nothing that was sent.",
            tested(
                "http/test_error_table::test_refusal",
                "http/test_error_table::test_refusal_echoes_nothing",
            ),
        ),
    ),
)
ACTIONS = Section(
    "`POST /rest-sts/…?_action=`",
    "Types are named to the letter: `username` is an unknown type.",
    (
        supported(
            "`translate`",
            "`input_token_state` and `output_token_state`; answers `issued_token`. Unknown members "
            "are ignored.",
            Asked("POST", f"{STS}?_action=translate", 200, TRANSLATION, members=("issued_token",)),
        ),
        supported(
            "`validate`",
            "`validated_token_state`; answers `token_valid`.",
            Asked(
                "POST",
                f"{STS}?_action=validate",
                200,
                {
                    "validated_token_state": {
                        "token_type": "OPENIDCONNECT",
                        "oidc_id_token": "never issued",
                    }
                },
                members=("token_valid",),
            ),
            tested("http/test_validate_cancel::test_life"),
        ),
        supported(
            "`cancel`",
            "`cancelled_token_state`; the same text for a token that is unknown or gone.",
            Asked(
                "POST",
                f"{STS}?_action=cancel",
                200,
                {
                    "cancelled_token_state": {
                        "token_type": "OPENIDCONNECT",
                        "oidc_id_token": "never issued",
                    }
                },
                members=("result",),
            ),
            tested("http/test_validate_cancel::test_cancel_twice"),
        ),
        own(
            "`translate_batch`",
            "Up to a thousand translations in one request, answered in order.",
            Asked(
                "POST",
                f"{STS}?_action=translate_batch",
                200,
                {"requests": [TRANSLATION, {**TRANSLATION, "output_token_state": ASSERTION}]},
                members=("results",),
            ),
            tested("http/test_batch::test_in_order"),
        ),
        own(
            "`Idempotency-Key`",
            "A retry of a translate under it gets the same answer, never a second token.",
            tested("http/test_idempotency::test_same_request_again"),
        ),
        supported(
            "`USERNAME`", "`username`, `password`.", tested("http/test_matrix::test_assertion")
        ),
        supported("`OPENAM`", "`session_id`.", tested("http/test_matrix::test_assertion")),
        better(
            "`OPENIDCONNECT`",
            "`oidc_id_token`, of an [issuer that the realm trusts](trusted-issuers.md). Its "
            "subject is never a local user unless the issuer's rule says so.",
            tested(
                "http/test_matrix::test_assertion",
                "http/test_id_token_input::test_name_of_a_local_user_gains_nothing",
            ),
        ),
        better(
            "`X509`",
            "A [client certificate](client-certificates.md), from TLS or a header.",
            tested("http/test_matrix::test_assertion", "http/test_tls_clients::test_in_clear"),
        ),
        supported(
            "custom types of input",
            "The plug-in gets the whole state.",
            tested("plugins/test_custom_tokens::test_custom_to_standard"),
        ),
        supported(
            "`SAML2`",
            "`subject_confirmation`: `BEARER`, `HOLDER_OF_KEY` with `proof_token_state`, "
            "`SENDER_VOUCHES`.",
            Asked(
                "POST",
                f"{STS}?_action=translate",
                200,
                {**TRANSLATION, "output_token_state": ASSERTION},
                members=("issued_token",),
            ),
            tested("http/test_matrix::test_assertion"),
        ),
        supported(
            "`OPENIDCONNECT` as output",
            "`allow_access: true`, and `nonce` if there is one.",
            tested("http/test_matrix::test_id_token", "http/test_issued::test_no_nonce"),
        ),
        supported(
            "custom types of output",
            "The answer is what the plug-in gives, unchanged.",
            tested("plugins/test_custom_tokens::test_any_json_value"),
        ),
        supported(
            "order of checks",
            "States, types, pair, input, output, token: of two mistakes the earlier is answered.",
            tested("http/test_translate::test_order_of_evaluation"),
        ),
        better(
            "`invalidateInterimOpenAMSession`",
            "A session exists only where a plug-in asks for one, and ends on every path, with "
            "custom output too, unless the flag is false. A user's own session ends if it is true.",
            tested(
                "http/test_interim_session::test_it_ends_with_the_translation",
                "http/test_interim_session::test_it_ends_when_the_plug_in_refuses",
                "http/test_session_ends::test_with_the_token",
            ),
        ),
    ),
)

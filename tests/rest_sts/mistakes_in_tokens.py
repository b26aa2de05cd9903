"""Input that does not do, and instances that lack what they need."""

from __future__ import annotations

from tests.rest_sts.mistakes import changed, same
from tests.rest_sts.rows import Section, tested

HEADER = "http/test_certificate_header::"
STORES = "http/test_publish_key_stores::"
PATHS = "http/test_x509_paths::"

INPUTS = Section(
    "Input that does not do",
    "Of passwords, sessions, ID tokens and certificates.",
    (
        same(
            "wrong password, unknown user",
            401,
            "The same sentence for both.",
            "wrong password",
            "unknown user",
            "name in another letter case",
            "user of the root realm in a sub realm",
        ),
        same("user who is inactive", 401, "The same sentence again.", "inactive user"),
        same(
            "bad ID token",
            401,
            "One sentence for all; why stands in the audit.",
            tested("http/test_id_token_input::test_forged_tokens"),
        ),
        same(
            "certificate that no authority of the realm vouches for",
            401,
            "One sentence for all of them.",
            tested(PATHS + "test_strangers", PATHS + "test_bad_paths"),
        ),
        same(
            "session unknown or ended",
            401,
            "Which one is not said. AM has a 403 for one that ends between two of its looks.",
            "session unknown",
            "session logged out",
            "session expired",
        ),
        same(
            "session of another realm",
            403,
            "Says so.",
            "session of the root realm in a sub realm",
            "session of a sub realm in the root realm",
        ),
        changed(
            "OPENIDCONNECT in a realm that trusts no issuer",
            400,
            "Trusted issuers stand where AM has an auth target, whose 500 is gone with it.",
            "no issuer is trusted in the realm of the instance",
        ),
        same(
            "X509 in a realm without an authority",
            400,
            "Says what is missing.",
            tested("http/test_x509_input::test_realm_without_authority"),
        ),
        same(
            "X509 by TLS without a certificate",
            400,
            "Says so.",
            "input type enabled but not read here",
            tested("http/test_tls_clients::test_without_a_certificate"),
        ),
        same(
            "X509 by header, header missing",
            400,
            "Names the header.",
            tested(HEADER + "test_wrong_values"),
        ),
        same(
            "X509 by header, host not trusted",
            400,
            "Before the header is looked at.",
            tested(HEADER + "test_untrusted_host_is_refused_before_its_header_is_read"),
        ),
        changed(
            "X509 by header, not base64",
            400,
            "AM: 500.",
            tested(HEADER + "test_wrong_values"),
        ),
        same(
            "X509 by header, no certificate",
            400,
            "Says so.",
            tested(HEADER + "test_wrong_values"),
        ),
        changed(
            "X509 header that came twice",
            400,
            "AM takes the first and logs a warning.",
            tested(HEADER + "test_smuggled_headers"),
        ),
    ),
)
ISSUING = Section(
    "What an instance lacks",
    "Most of it is found when the instance is published; here is what comes later.",
    (
        changed(
            "no section for the output that is asked for",
            400,
            "Refused at publish already.",
            tested("http/test_publish_refusals::test_broken_rule"),
        ),
        changed(
            "key store that cannot be read",
            400,
            "At publish, naming the key. Where it vanishes later a broker that needs it answers "
            "409.",
            tested(STORES + "test_what_cannot_be_read", STORES + "test_file_that_vanishes"),
        ),
        same("key that is gone", 409, "Says so.", "named key is gone"),
        same("algorithm NONE", 400, "At issue, as in AM.", "algorithm NONE at issue"),
        same(
            "validator that answers nothing",
            409,
            "Says that it named nobody.",
            tested("plugins/test_custom_tokens::test_nobody_named"),
        ),
        changed(
            "plug-in that cannot be loaded",
            409,
            "400 at publish; 409 if it goes missing later, and the rest of the instance goes on.",
            tested("plugins/test_naming::test_plug_in_that_is_gone"),
        ),
        same(
            "plug-in that refuses",
            None,
            "The status of its error.",
            tested("plugins/test_failures::test_refusal"),
        ),
        changed(
            "plug-in that fails",
            500,
            "Without a cause in the answer; the audit names it.",
            tested("plugins/test_failures::test_failure"),
        ),
        same(
            "record that cannot be stored",
            503,
            "No token is handed out. The status says that asking again may help.",
            tested("http/test_limits::test_no_token_without_its_record"),
        ),
        same(
            "store that cannot be asked",
            503,
            "With `Retry-After`.",
            tested(
                "contract/test_redis_matrix::test_at_the_front_door_an_absent_redis_is_503_with_retry_after"
            ),
        ),
    ),
)

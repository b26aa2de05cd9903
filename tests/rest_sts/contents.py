"""What issued tokens look like, what is kept of them, and how certificates are read."""

from __future__ import annotations

from tests.rest_sts.rows import Section, better, supported, tested

SHAPE = "handlers/test_saml2_assertion::"
NAMES = "handlers/test_saml2_name_id::"
MATRIX = "http/test_matrix::"
HEADER = "http/test_certificate_header::"
VALID = "http/test_validate_cancel::"

ASSERTIONS = Section(
    "What is in an assertion",
    "",
    (
        supported(
            "root, ID, times, order of children",
            "As in AM, without its line feeds.",
            tested(SHAPE + "test_elements_stand_in_the_order_of_the_contract"),
        ),
        supported(
            "Issuer",
            "`issuer-name`, without a format.",
            tested(SHAPE + "test_bearer_assertion_says_what_the_contract_says"),
        ),
        better(
            "NameID",
            "The identity's name. `persistent` and `transient` are real, see the key.",
            tested(
                NAMES + "test_other_formats_are_labels_on_the_name",
                NAMES + "test_persistent_identifier_is_opaque_and_says_for_whom_it_is",
            ),
        ),
        supported(
            "subject confirmation",
            "The three methods, each with what AM writes.",
            tested(MATRIX + "test_assertion"),
        ),
        supported(
            "Conditions",
            "From the time of issue; one audience, whatever the method.",
            tested(SHAPE + "test_bearer_assertion_says_what_the_contract_says"),
        ),
        supported(
            "AuthnStatement",
            "The class follows the type of input; the instant is that of issue unless "
            "`saml2-authn-instant` says `login`.",
            tested(MATRIX + "test_assertion", NAMES + "test_authentication_instant"),
        ),
        better(
            "AttributeStatement",
            "In the order of the map. What the profile lacks may be a property of the session that "
            "came in. If the profile cannot be read the request fails; AM issues a thinner token.",
            tested(
                "handlers/test_claims::test_claims_keep_the_order_of_the_map",
                "authentication/authenticate/test_authenticate_sessions::"
                "test_properties_of_a_session_in_an_assertion",
            ),
        ),
        better(
            "signature",
            "Enveloped, exclusive c14n, right after the issuer, SHA-256; AM signs with SHA-1.",
            tested(MATRIX + "test_assertion", MATRIX + "test_service_provider"),
        ),
        better(
            "encryption",
            "The assertion, its attributes or its NameID; a content key of its own for each, which "
            "AM uses for the life of its process. RSA-OAEP in place of PKCS #1 v1.5.",
            tested(
                MATRIX + "test_assertion",
                "handlers/test_saml2_encryption::test_each_element_has_a_fresh_key_and_vector",
            ),
        ),
    ),
)
ID_TOKENS = Section(
    "What is in an ID token",
    "",
    (
        better(
            "header",
            "`alg`, `typ`, and the `kid` that the realm's JWKS has.",
            tested(MATRIX + "test_id_token"),
        ),
        better(
            "`jwk`",
            "With reference type `JWK` a clean key (RFC 7517), also of EC and Ed25519.",
            tested("http/test_id_tokens::test_key_in_the_header"),
        ),
        supported(
            "`iss` `sub` `aud` `azp` `nonce` `iat` `exp` `jti`",
            "As in AM; one audience is a string, several are an array.",
            tested(MATRIX + "test_id_token", "http/test_issued::test_id_token_claims"),
        ),
        supported(
            "`at_hash` `c_hash` `nbf` `sid`",
            "Never; no map sets them.",
            tested("handlers/test_jwt::test_mapped_claim_never_replaces_a_registered_one"),
        ),
        better(
            "`auth_time`",
            "The time of the login; AM writes that of the request.",
            tested("http/test_id_tokens_login::test_auth_time_is_the_real_login"),
        ),
        better(
            "`acr`, `amr`",
            "By a map, a plug-in, or what a foreign token says.",
            tested("http/test_id_tokens_login::test_context_and_methods_of_a_foreign_login"),
        ),
        supported(
            "mapped claims",
            "Several values are joined with blanks; an absent one is left out.",
            tested("http/test_issued::test_claim_map"),
        ),
        better(
            "algorithms",
            "RS, PS, ES, HS and EdDSA; secrets as long as the hash.",
            tested(MATRIX + "test_id_token"),
        ),
    ),
)
RECORDS = Section(
    "What is kept of a token",
    "",
    (
        supported(
            "token id",
            "As AM derives it, so that ids which are stored elsewhere keep working.",
            tested(
                "http/test_tokengen::test_assertion_is_listed_by_its_id",
                "handlers/test_saml2_encryption::test_encrypted_assertion_is_known_by_its_cipher_text",
            ),
        ),
        better(
            "white space in cipher text",
            "Does not matter; in AM it makes another id.",
            tested(
                "handlers/test_saml2_encryption::test_base64_that_was_wrapped_again_has_the_same_name"
            ),
        ),
        better(
            "validate",
            "Record, instance, expiry and the token's digest; AM looks for the record alone.",
            tested(
                VALID + "test_forged_assertion",
                VALID + "test_another_instance",
                VALID + "test_altered_id_token",
            ),
        ),
        better(
            "cancel",
            "Needs the token itself, at the instance that issued it.",
            tested(VALID + "test_forged_assertion", VALID + "test_cancel_ends_one_token"),
        ),
        supported(
            "persistence that is turned on later",
            "Covers what is issued from then on; no restart is needed.",
            tested(VALID + "test_enabling_persistence_covers_later_tokens_alone"),
        ),
        supported(
            "expiry",
            "A reaper removes what has expired.",
            tested("process/test_reaper::test_reaper"),
        ),
        supported(
            "custom tokens",
            "Never kept.",
            tested("plugins/test_custom_tokens::test_custom_tokens_are_not_kept"),
        ),
    ),
)
CERTIFICATES = Section(
    "Where client certificates come from",
    "",
    (
        supported(
            "no header configured",
            "The certificate of the TLS connection.",
            tested("http/test_tls_clients::test_certificate_of_the_connection"),
        ),
        supported(
            "header configured",
            "The header alone.",
            tested("http/test_tls_clients::test_header_is_read_where_the_instance_names_one"),
        ),
        better(
            "trusted hosts",
            "By the peer's address, not by a header that anybody can send.",
            tested(
                HEADER + "test_trusted_hosts",
                HEADER + "test_forwarded_for_of_a_stranger_counts_for_nothing",
            ),
        ),
        better(
            "header's value",
            "Base64 of the DER as in AM; PEM, URL-encoded PEM and RFC 9440 too.",
            tested(HEADER + "test_forms"),
        ),
        better(
            "checks",
            "Path, dates, usage and revocation by the broker itself; AM leaves them to its module.",
            tested(
                "http/test_x509_paths::test_bad_paths",
                "http/test_revocation::test_list_in_the_document",
                "http/test_ocsp::test_responder",
            ),
        ),
        better(
            "principal",
            "By the rule of the authority; never a local user unless it says so.",
            tested(
                "http/test_x509_input::test_subject",
                "http/test_x509_input::test_never_a_local_user",
            ),
        ),
    ),
)

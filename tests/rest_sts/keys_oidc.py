"""Every key of `oidc-id-token-config`."""

from __future__ import annotations

from typing import Any

from tests.http.test_publish_rules import P256
from tests.rest_sts.keys_saml2 import HIDDEN, NO_PLUG_IN, STORES
from tests.rest_sts.rows import Broken, Kept, Ruled, Section, better, own, supported, tested
from tests.support.planted import CLIENT_SECRET

ASYMMETRIC: dict[str, Any] = {
    "oidc": {"oidc-signature-algorithm": "ES256", "oidc-client-secret": ...}
}


OIDC = Section(
    "`oidc-id-token-config`",
    "What [ID tokens](id-tokens.md) say and how they are signed and encrypted.",
    (
        better(
            "oidc-issuer",
            "Required. One with a colon that is no URI is a 400 at publish; AM fails at issue.",
            Kept("https://other.example.com"),
            Ruled(),
        ),
        better(
            "oidc-token-lifetime-seconds", "Required; at least 1, and bounded.", Kept("60"), Ruled()
        ),
        supported("oidc-audience", "Required, not empty.", Kept(["one", "two"]), Ruled()),
        supported("oidc-authorized-party", "`azp`.", Kept("portal"), Kept(None)),
        better(
            "oidc-signature-algorithm",
            "Required: `HS`, `RS`, `PS` or `ES` with 256, 384 or 512, `EdDSA`, `Ed25519`. `NONE` "
            "publishes and is a 400 at issue, as in AM.",
            Kept("PS384", also={"oidc": {"oidc-client-secret": ...}}),
            Kept("NONE"),
            Ruled(),
            tested("http/test_matrix::test_id_token"),
        ),
        supported(
            "oidc-public-key-reference-type",
            "`NONE` and `JWK` issue; `JKU`, `X5U`, `X5C`, `X5T` and `X5TS256` publish and are a "
            "400 at issue, as in AM.",
            Kept("JWK"),
            Kept("X5C"),
            Ruled(),
            tested("http/test_id_tokens::test_other_references"),
        ),
        better(
            "oidc-keystore-location",
            "As `saml2-keystore-filename`. Empty is the realm's ring, where AM has a 400.",
            Kept("remint:", also=ASYMMETRIC),
            Kept(None, also=ASYMMETRIC),
            Broken(
                {
                    "oidc": ASYMMETRIC["oidc"]
                    | {"oidc-keystore-location": "/etc/keys.p12", "oidc-signature-key-alias": "sts"}
                }
            ),
            tested(STORES + "test_signs_with_its_own_key"),
        ),
        better(
            "oidc-keystore-password",
            "Hidden in reads.",
            tested(
                STORES + "test_what_cannot_be_read",
                STORES + "test_passwords_are_hidden_and_kept",
            ),
        ),
        better(
            "oidc-signature-key-alias",
            "Checked at publish, for `ES` too.",
            Kept("active", also=ASYMMETRIC),
            Ruled(),
            tested(STORES + "test_signs_with_its_own_key"),
        ),
        better(
            "oidc-signature-key-password",
            "Hidden in reads.",
            tested(
                STORES + "test_what_cannot_be_read",
                STORES + "test_passwords_are_hidden_and_kept",
            ),
        ),
        better(
            "oidc-client-secret",
            "Of `HS`; as long as the hash, unless settings name `short-hmac`. Hidden in reads.",
            Kept(CLIENT_SECRET, HIDDEN),
            Ruled(),
            tested("http/test_id_tokens::test_secret_that_is_shorter_than_the_hash"),
        ),
        better(
            "oidc-claim-map",
            "Required, may be `{}`. It never replaces a claim that the broker sets.",
            Kept({"email": "mail", "tenant": '"acme"'}),
            Ruled(),
            tested("plugins/test_mappers::test_registered_claims_stay_ours"),
        ),
        better(
            "oidc-custom-claim-mapper-class",
            "A [plug-in](plug-ins.md); a missing one is a 400, where AM falls back silently.",
            Ruled(),
            tested("plugins/test_mappers::test_claim_mapper"),
        ),
        better(
            "oidc-custom-authn-context-mapper-class",
            "The same, for `acr`.",
            Broken({"oidc": {"oidc-custom-authn-context-mapper-class": NO_PLUG_IN}}),
            tested("plugins/test_mappers::test_authn_mappers"),
        ),
        better(
            "oidc-custom-authn-method-references-mapper-class",
            "The same, for `amr`, which AM loses on its way.",
            Broken({"oidc": {"oidc-custom-authn-method-references-mapper-class": NO_PLUG_IN}}),
            tested("plugins/test_mappers::test_authn_mappers"),
        ),
        own(
            "oidc-multi-valued-claims",
            "`array`, or `joined` with blanks as in AM, which is the default.",
            Kept("array"),
            Ruled(),
        ),
        own(
            "oidc-authn-context-map",
            "`acr` by type of input.",
            Kept({"USERNAME": "urn:example:password"}),
            Broken({"oidc": {"oidc-authn-context-map": ["USERNAME"]}}),
            tested("http/test_id_tokens_login::test_context_and_methods_by_input"),
        ),
        own(
            "oidc-authn-methods-map",
            "`amr` by type of input.",
            Kept({"USERNAME": ["pwd"]}),
            Ruled(),
            tested("http/test_id_tokens_login::test_context_and_methods_by_input"),
        ),
        own(
            "oidc-encryption-key",
            "A public JWK of the relying party: ID tokens are encrypted to it.",
            Kept(P256),
            Ruled(),
            tested("http/test_id_tokens_encrypted::test_each_way_of_encrypting"),
        ),
        own(
            "oidc-encryption-algorithm",
            "JWE's `alg`.",
            Kept("ECDH-ES", also={"oidc": {"oidc-encryption-key": P256}}),
            Ruled(),
        ),
        own(
            "oidc-encryption-method",
            "JWE's `enc`.",
            Kept("A128GCM", also={"oidc": {"oidc-encryption-key": P256}}),
            Ruled(),
        ),
    ),
    "oidc",
)

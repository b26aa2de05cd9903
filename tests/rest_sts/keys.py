"""Every key of a published document (`instance_state`), outside its two sections of options."""

from __future__ import annotations

from typing import Any

from tests.http.states import transform
from tests.rest_sts.rows import Broken, Kept, Ruled, Section, better, own, supported, tested

TARGETS = "deployment-auth-target-mappings"
HEADER = "deployment-offloaded-two-way-tls-header-key"
HOSTS = "deployment-tls-offload-engine-hosts"
TO_ID_TOKEN = [transform("USERNAME", "OPENIDCONNECT")]
TO_ASSERTION = [transform("OPENAM", "SAML2", end_session=True)]
CUSTOM_ALONE: dict[str, Any] = {
    "supported-token-transforms": [],
    "custom-token-transforms": [transform("USERNAME", "OPAQUE")],
}


def target(given: str = "X509", kind: str = "module", **context: str) -> dict[str, Any]:
    entry: dict[str, Any] = {"mapping-auth-index-type": kind, "mapping-auth-index-value": "name"}
    return {given: entry | ({"mapping-context": context} if context else {})}


TOP = Section(
    "The document",
    "Scalars may be JSON strings, as AM writes them, or native JSON; reads answer with strings.",
    (
        supported(
            "deployment-config",
            "Required, an object.",
            Ruled(),
            tested("http/test_publish::test_read_one"),
        ),
        supported(
            "saml2-config",
            "Required if a transform issues `SAML2`; else it may be null.",
            Kept(None, also={"top": {"supported-token-transforms": TO_ID_TOKEN}}),
            Ruled(),
        ),
        supported(
            "oidc-id-token-config",
            "Required if a transform issues `OPENIDCONNECT`; else it may be null.",
            Kept(None, also={"top": {"supported-token-transforms": TO_ASSERTION}}),
            Ruled(),
        ),
        supported(
            "supported-token-transforms",
            "The eight pairs of standard types. A pair that comes twice counts once. Reads answer "
            "with a JSON boolean for `invalidateInterimOpenAMSession`.",
            Kept(TO_ASSERTION, also={"top": {"oidc-id-token-config": None}}),
            Kept([*TO_ID_TOKEN, *TO_ID_TOKEN], shown=TO_ID_TOKEN),
            tested("http/test_publish::test_native_types"),
            Ruled(),
        ),
        better(
            "custom-token-transforms",
            "Each needs somebody who reads its input and somebody who writes its output; AM is "
            "content with one of them at publish and fails later.",
            Kept([transform("USERNAME", "OPAQUE")]),
            Ruled(),
        ),
        better(
            "custom-token-validators",
            "[Plug-ins](plug-ins.md) by the name of their entry point, which may look like a Java "
            "class; one that cannot be loaded is a 400 for this key.",
            Ruled(),
            tested("plugins/test_custom_tokens::test_custom_to_standard"),
        ),
        better(
            "custom-token-providers",
            "The same, for output.",
            Ruled(),
            tested("plugins/test_custom_tokens::test_standard_to_custom"),
        ),
        better(
            "persist-issued-tokens-in-cts",
            "With custom transforms alone it publishes; AM answers 500.",
            Kept("false"),
            Kept("true", also={"top": CUSTOM_ALONE}),
            Ruled(),
        ),
        better(
            "is-remote-sts-instance",
            "Kept, and without effect: no part of the broker calls another over HTTP.",
            Kept("true"),
        ),
        supported(
            "any other key",
            "Kept, and without effect; a read answers with it.",
            Kept("value", key="some-other-key"),
        ),
        own(
            "keep-issued-tokens",
            "Records hold the tokens too, sealed, for administrators to read.",
            Kept("true"),
            Ruled(),
        ),
        own(
            "cancel-with-parent",
            "Tokens end with the token they were issued from.",
            Kept("true"),
            Broken(
                {
                    "top": {
                        "cancel-with-parent": "true",
                        "persist-issued-tokens-in-cts": "false",
                    }
                }
            ),
        ),
        own(
            "requesters",
            "Who may ask through a message server ([encryption](encryption.md)).",
            Kept({"amqp": ["portal"]}),
            Broken({"top": {"requesters": ["portal"]}}),
        ),
    ),
    "top",
)
DEPLOYMENT = Section(
    "`deployment-config`",
    "Where the instance is, and what checks its input.",
    (
        better(
            "deployment-url-element",
            "No slash, up to 128 characters, checked at publish and not in a console alone.",
            Kept("orders"),
            Ruled(),
        ),
        supported(
            "deployment-realm", "Required; an unknown realm is a 404.", Kept("/fred/bobo"), Ruled()
        ),
        better(
            TARGETS,
            "Required, may be `{}`. Each target is a [chain or module](authentication.md) of the "
            "realm, which may add a second factor; a type without one is checked by the realm's "
            "default, else by the broker itself. Custom types survive a reload.",
            Kept({}),
            Kept(target("API_KEY", key="value")),
            Ruled(),
            tested("http/test_authentication::test_published_as_am_writes_it"),
            tested("http/test_authentication::test_names_that_exports_use"),
        ),
        supported(
            "mapping-auth-index-type",
            "`service` (a chain) and `module`. `user`, `role` and `level` are kept, and input that "
            "they would check is a 400.",
            Kept(target(kind="service"), key=TARGETS),
            Ruled(),
            tested("http/test_authentication::test_unknown_targets"),
        ),
        supported(
            "mapping-auth-index-value",
            "Required in each mapping; input is a 400 while the realm has nothing of that name.",
            Kept(target(), key=TARGETS),
            Ruled(),
            tested("http/test_authentication::test_unknown_targets"),
        ),
        supported(
            "mapping-context",
            "An object of strings; a plug-in that validates the type is given what it names.",
            Kept(target(header="X-Key"), key=TARGETS),
            Ruled(),
            tested("plugins/test_custom_tokens::test_named_header"),
        ),
        better(
            "oidc_id_token_auth_target_header_key",
            "Kept. No header is needed: the broker verifies the token against the realm's "
            "[trusted issuers](trusted-issuers.md).",
            Kept(target("OPENIDCONNECT", oidc_id_token_auth_target_header_key="t"), key=TARGETS),
            tested("http/test_id_token_input::test_to_id_token"),
        ),
        better(
            "x509_token_auth_target_header_key",
            "Kept. No header is needed: the broker verifies the certificate against the realm's "
            "[authorities](client-certificates.md).",
            Kept(target(x509_token_auth_target_header_key="c"), key=TARGETS),
            tested("http/test_x509_input::test_to_id_token"),
        ),
        supported(
            HEADER,
            "With the next key, or neither.",
            Kept("X-Client-Cert", also={"deployment": {HOSTS: ["any"]}}),
            Ruled(),
        ),
        better(
            HOSTS,
            "Addresses in any spelling, networks such as `10.0.0.0/8`, or `any`.",
            Kept(["10.0.0.1", "10.1.0.0/16", "::1"], also={"deployment": {HEADER: "X-C"}}),
            Ruled(),
            tested("http/test_certificate_header::test_trusted_hosts"),
        ),
    ),
    "deployment",
)
FLAT = Section(
    "Packed strings",
    "`invocation_context_view_bean`: the same keys side by side, every value a list of strings.",
    (
        supported(
            "`IN|OUT|true`",
            "A transform; the flag in any letter case.",
            tested("http/test_publish_flat::test_publish_and_read"),
        ),
        supported(
            "`NAME|class`",
            "An entry of `custom-token-validators` or `-providers`.",
            tested("http/test_publish_flat::test_not_packed_so"),
        ),
        supported(
            "`TYPE|indexType|indexValue|k=v,k=v`",
            "An authentication target; the last part is optional.",
            tested("http/test_publish_flat::test_publish_and_read"),
        ),
        better(
            "`key=value`",
            "An entry of a map. A second `=` belongs to the value; AM loses what follows it.",
            tested("http/test_publish_flat::test_publish_and_read"),
        ),
        supported(
            "what is packed wrongly",
            "A 400 that names each key.",
            tested(
                "http/test_publish_flat::test_not_packed_so",
                "http/test_publish_flat::test_every_one_is_named",
            ),
        ),
        supported(
            "what is left out",
            "Lifetimes are 600 seconds; a section whose issuer is empty is not there.",
            tested(
                "http/test_publish_flat::test_publish_and_read",
                "http/test_publish_flat::test_section_without_an_issuer",
            ),
        ),
        better(
            "order of a list",
            "Kept; AM stores a set.",
            Kept(["b", "a", "c"], key="oidc-audience"),
        ),
    ),
    "oidc",
)

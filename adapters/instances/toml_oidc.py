"""``[oidc]``: options for ID tokens in TOML.

::

    [oidc]
    issuer = "https://sts.example.com"
    audience = ["orders"]
    signing_key = "ES256"            # see toml_keys; HS256 takes client_secret beside it
    public_key_reference = "JWK"
    multi_valued_claims = "array"    # or joined, with blanks
    authn_contexts = { USERNAME = "urn:example:password" }    # acr by type of input
    authn_methods = { USERNAME = ["pwd"] }                    # amr (RFC 8176)

    [oidc.encryption]
    key = { kty = "RSA", n = "…", e = "AQAB" }
    algorithm = "RSA-OAEP-256"
    content = "A256GCM"

    [oidc.plug_ins]
    claim_mapper = "…"
"""

from __future__ import annotations

from adapters.instances import forgerock_oidc
from adapters.instances.members import Members
from adapters.instances.toml_keys import key_store, signing_key
from broker.algorithms import HMAC_ALGORITHMS
from broker.instance import (
    DEFAULT_LIFETIME_SECONDS,
    OidcEncryption,
    OidcOptions,
    OidcPlugIns,
    SigningKey,
)
from broker.model import TokenType

DEFAULT_ALGORITHM = "RS256"
PLUG_INS = tuple(OidcPlugIns.__slots__)
JOINED, ARRAY = forgerock_oidc.JOINED, forgerock_oidc.ARRAY


def decode(members: Members) -> OidcOptions:
    """The options in the section. What is wrong goes to its problems."""
    members.only(
        *("issuer", "audience", "authorized_party", "lifetime_seconds", "claim_map"),
        *("signing_key", "client_secret", "key_store", "public_key_reference"),
        *("multi_valued_claims", "authn_contexts", "authn_methods", "encryption", "plug_ins"),
    )
    multi_valued = members.text("multi_valued_claims", ARRAY)
    if multi_valued not in (JOINED, ARRAY):
        members.wrong("multi_valued_claims", f"write {JOINED} or {ARRAY}")
    plug_ins = members.section("plug_ins")
    plug_ins.only(*PLUG_INS)
    return OidcOptions(
        issuer=members.text("issuer"),
        audience=members.texts("audience"),
        signing_key=_key(members),
        authorized_party=members.optional("authorized_party"),
        lifetime_seconds=members.whole("lifetime_seconds", DEFAULT_LIFETIME_SECONDS),
        claim_map=members.text_map("claim_map"),
        public_key_reference=members.text("public_key_reference", "NONE"),
        multi_valued_as_array=multi_valued == ARRAY,
        encryption=_encryption(members),
        authn_contexts={
            TokenType(name): value.strip()
            for name, value in members.text_map("authn_contexts").items()
        },
        authn_methods=forgerock_oidc.methods(members, "authn_methods"),
        plug_ins=OidcPlugIns(**{name: plug_ins.optional(name) for name in PLUG_INS}),
    )


def _key(members: Members) -> SigningKey:
    key = signing_key(members.text("signing_key", DEFAULT_ALGORITHM), key_store(members))
    if key.algorithm in HMAC_ALGORITHMS:
        return SigningKey(key.algorithm, secret=members.secret("client_secret"))
    return key


def _encryption(members: Members) -> OidcEncryption | None:
    if not members.given("encryption"):
        return None
    wanted = members.section("encryption")
    wanted.only("key", "algorithm", "content")
    if not wanted.given("key"):
        wanted.wrong("key", "write the public JWK to encrypt to")
    return forgerock_oidc.encryption(wanted, "key", "algorithm", "content")

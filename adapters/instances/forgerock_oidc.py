"""``oidc-id-token-config``: how the ForgeRock publish service writes options for ID tokens (3.7).

Keys of our own: ``oidc-multi-valued-claims``, ``oidc-authn-context-map`` (``acr``) and
``oidc-authn-methods-map`` (``amr``) by input type, and ``oidc-encryption-key`` (a public JWK),
``oidc-encryption-algorithm`` and ``oidc-encryption-method``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from adapters.instances.forgerock_keys import (
    OWN_KEY_RING,
    by_type,
    location,
    plug_ins,
    revealed,
    signing_key,
    store,
    without_nothing,
)
from adapters.instances.members import MAX_LIST_LENGTH, Members
from broker.algorithms import DEFAULT_CONTENT, DEFAULT_ENCRYPTION, HMAC_ALGORITHMS
from broker.instance import (
    DEFAULT_LIFETIME_SECONDS,
    OidcEncryption,
    OidcOptions,
    OidcPlugIns,
    SigningKey,
)
from broker.model import TokenType

JOINED = "joined"
ARRAY = "array"
PLUG_INS = {
    "claim_mapper": "oidc-custom-claim-mapper-class",
    "authn_context_mapper": "oidc-custom-authn-context-mapper-class",
    "authn_methods_mapper": "oidc-custom-authn-method-references-mapper-class",
}
KEYS = {
    "oidc": "oidc-id-token-config",
    "oidc.issuer": "oidc-issuer",
    "oidc.audience": "oidc-audience",
    "oidc.lifetime_seconds": "oidc-token-lifetime-seconds",
    "oidc.claim_map": "oidc-claim-map",
    "oidc.algorithm": "oidc-signature-algorithm",
    "oidc.client_secret": "oidc-client-secret",
    "oidc.public_key_reference": "oidc-public-key-reference-type",
    "oidc.key_alias": "oidc-signature-key-alias",
    "oidc.key_password": "oidc-signature-key-password",
    "oidc.key_store": "oidc-keystore-location",
    "oidc.key_store.password": "oidc-keystore-password",
    "oidc.encryption.key": "oidc-encryption-key",
    "oidc.encryption.algorithm": "oidc-encryption-algorithm",
    "oidc.encryption.content": "oidc-encryption-method",
    **{f"oidc.plug_ins.{member}": key for member, key in PLUG_INS.items()},
}


def decode(members: Members) -> OidcOptions:
    """The options in the section. What is wrong goes to its problems."""
    multi_valued = members.text("oidc-multi-valued-claims", JOINED)
    if multi_valued not in (JOINED, ARRAY):
        members.wrong("oidc-multi-valued-claims", f"write {JOINED} or {ARRAY}")
    return OidcOptions(
        issuer=members.text("oidc-issuer"),
        audience=members.texts("oidc-audience"),
        signing_key=_key(members),
        authorized_party=members.optional("oidc-authorized-party"),
        lifetime_seconds=members.whole("oidc-token-lifetime-seconds", DEFAULT_LIFETIME_SECONDS),
        claim_map=members.text_map("oidc-claim-map"),
        public_key_reference=members.text("oidc-public-key-reference-type", "NONE"),
        multi_valued_as_array=multi_valued == ARRAY,
        encryption=encryption(
            members,
            "oidc-encryption-key",
            "oidc-encryption-algorithm",
            "oidc-encryption-method",
        ),
        authn_contexts=by_type(members, "oidc-authn-context-map"),
        authn_methods=methods(members, "oidc-authn-methods-map"),
        plug_ins=OidcPlugIns(**plug_ins(members, PLUG_INS)),
    )


def _key(members: Members) -> SigningKey:
    algorithm = members.text("oidc-signature-algorithm")
    if algorithm in HMAC_ALGORITHMS:
        return SigningKey(algorithm, secret=members.secret("oidc-client-secret"))
    own = store(
        members, "oidc-keystore-location", "oidc-keystore-password", "oidc-signature-key-password"
    )
    return signing_key(members, algorithm, "oidc-signature-key-alias", own)


def encryption(members: Members, key: str, algorithm: str, content: str) -> OidcEncryption | None:
    """To which key under ``key``, and how; None where there is none. A JWK may be JSON text."""
    if not members.given(key):
        for other in (algorithm, content):
            if members.given(other):
                members.wrong(other, f"there is no {key} to encrypt to")
        return None
    jwk = _jwk(members, key)
    named = members.text(algorithm, DEFAULT_ENCRYPTION.get(jwk.get("kty", ""), ""))
    return OidcEncryption(jwk, named, members.text(content, DEFAULT_CONTENT))


def _jwk(members: Members, key: str) -> dict[str, str]:
    value = members.value(key)
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except ValueError:
            value = None
    if not isinstance(value, Mapping):
        members.wrong(key, "write a public JWK (RFC 7517): an object, or its JSON text")
        return {}
    # Lists in a JWK (key_ops, x5c) say nothing that its numbers and its use do not say.
    strings = {name: each for name, each in value.items() if not isinstance(each, list)}
    return Members({key: strings}, key, members.problems).text_map(key)


def methods(members: Members, key: str) -> dict[TokenType, tuple[str, ...]]:
    """By token type a list of method names (RFC 8176), or such names with blanks between them."""
    value = members.value(key)
    if value is not None and not isinstance(value, Mapping):
        members.wrong(key, "write an object of lists of strings")
        return {}
    if value is not None and len(value) > MAX_LIST_LENGTH:
        members.wrong(key, f"write an object of up to {MAX_LIST_LENGTH} lists")
        return {}
    found: dict[TokenType, tuple[str, ...]] = {}
    for name, given in (value or {}).items():
        inner = Members(
            {key: given.split() if isinstance(given, str) else given}, key, members.problems
        )
        found[TokenType(name)] = inner.texts(key)
    return found


def encode(options: OidcOptions) -> dict[str, Any]:
    """The options as the section."""
    key, wanted = options.signing_key, options.encryption
    hmac = key.algorithm in HMAC_ALGORITHMS
    return {
        "oidc-issuer": options.issuer,
        "oidc-token-lifetime-seconds": str(options.lifetime_seconds),
        "oidc-audience": list(options.audience),
        "oidc-authorized-party": options.authorized_party,
        "oidc-signature-algorithm": key.algorithm,
        "oidc-public-key-reference-type": options.public_key_reference,
        "oidc-keystore-location": None if hmac else location(key),
        "oidc-signature-key-alias": None if hmac else key.alias,
        "oidc-client-secret": revealed(key.secret),
        "oidc-claim-map": dict(options.claim_map),
        "oidc-multi-valued-claims": ARRAY if options.multi_valued_as_array else JOINED,
        **without_nothing(
            {
                "oidc-keystore-password": revealed(key.store.password) if key.store else None,
                "oidc-signature-key-password": (
                    revealed(key.store.key_password) if key.store else None
                ),
                "oidc-encryption-key": dict(wanted.key) if wanted else None,
                "oidc-encryption-algorithm": wanted.algorithm if wanted else None,
                "oidc-encryption-method": wanted.content if wanted else None,
                "oidc-authn-context-map": dict(options.authn_contexts),
                "oidc-authn-methods-map": {
                    name: list(each) for name, each in options.authn_methods.items()
                },
                **{key: getattr(options.plug_ins, member) for member, key in PLUG_INS.items()},
            }
        ),
    }


__all__ = ["KEYS", "OWN_KEY_RING", "PLUG_INS", "decode", "encode", "encryption", "methods"]

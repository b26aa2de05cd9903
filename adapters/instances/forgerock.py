"""``instance_state``: how the ForgeRock publish service writes an instance (contract, 3.4 to 3.7).

This JSON is also how instances are stored. Scalars are strings on that wire; native JSON types are
read as well. Keys that no feature here needs yet are kept, so that a read-modify-write loses
nothing. Keys of our own: ``cancel-with-parent``, ``requesters``, ``saml2-signature-algorithm`` and
``oidc-multi-valued-claims``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.instances.members import Members
from broker.errors import InvalidInstance
from broker.instance import (
    ACTIVE_KEY,
    DEFAULT_LIFETIME_SECONDS,
    HMAC_ALGORITHMS,
    REQUESTER_TRANSPORTS,
    STANDARD_TYPES,
    Instance,
    OidcOptions,
    Saml2Options,
    SigningKey,
    Transform,
)
from broker.model import Secret, TokenType, normal_realm

OWN_KEY_RING = "remint:"
REDACTED = "(unchanged)"
SECRET_KEYS = frozenset(
    {
        "saml2-keystore-password",
        "saml2-signature-key-password",
        "oidc-keystore-password",
        "oidc-signature-key-password",
        "oidc-client-secret",
    }
)

SAML2_SIGNATURE_ALGORITHMS = {
    "": "RS256",
    "RS256": "RS256",
    "ES256": "ES256",
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256": "RS256",
    "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256": "ES256",
}

ENCRYPTION_FLAGS = ("saml2-encrypt-assertion", "saml2-encrypt-attributes", "saml2-encrypt-nameid")
PLUG_IN_KEYS = {
    "saml2-config": (
        "saml2-custom-conditions-provider-class-name",
        "saml2-custom-subject-provider-class-name",
        "saml2-custom-authentication-statements-provider-class-name",
        "saml2-custom-attribute-statements-provider-class-name",
        "saml2-custom-authz-decision-statements-provider-class-name",
        "saml2-custom-attribute-mapper-class-name",
        "saml2-custom-authn-context-mapper-class-name",
    ),
    "oidc-id-token-config": (
        "oidc-custom-claim-mapper-class",
        "oidc-custom-authn-context-mapper-class",
        "oidc-custom-authn-method-references-mapper-class",
    ),
}

# What the core calls a field, as this document calls it.
KEYS = {
    "url_element": "deployment-url-element",
    "transforms": "supported-token-transforms",
    "cancel_with_parent": "cancel-with-parent",
    "saml2": "saml2-config",
    "saml2.audience": "saml2-sp-entity-id",
    "saml2.issuer": "issuer-name",
    "saml2.lifetime_seconds": "saml2-token-lifetime-seconds",
    "saml2.signing_key": "saml2-signature-algorithm",
    "oidc": "oidc-id-token-config",
    "oidc.issuer": "oidc-issuer",
    "oidc.audience": "oidc-audience",
    "oidc.lifetime_seconds": "oidc-token-lifetime-seconds",
    "oidc.algorithm": "oidc-signature-algorithm",
    "oidc.client_secret": "oidc-client-secret",
    "oidc.public_key_reference": "oidc-public-key-reference-type",
}


def decode(state: Any) -> tuple[Instance, list[tuple[str, str]]]:
    """The draft in an ``instance_state``, and the (key, sentence) of each member that is wrong."""
    problems: list[tuple[str, str]] = []
    top = Members(state, "instance_state", problems)
    place = Members(top.value("deployment-config"), "deployment-config", problems)
    if top.value("deployment-config") is None:
        top.wrong("deployment-config", "say where the instance is deployed")
    Members(
        place.value("deployment-auth-target-mappings"), "deployment-auth-target-mappings", problems
    )
    draft = Instance(
        realm=normal_realm(place.text("deployment-realm", "/")),
        url_element=place.text("deployment-url-element"),
        transforms=_transforms(top),
        saml2=_saml2(top, problems),
        oidc=_oidc(top, problems),
        persist_issued_tokens=top.flag("persist-issued-tokens-in-cts"),
        cancel_with_parent=top.flag("cancel-with-parent"),
        requesters=top.name_sets("requesters", REQUESTER_TRANSPORTS),
    )
    return draft, problems


def named(problem: tuple[str, str]) -> tuple[str, str]:
    """A problem of the core, under this document's key."""
    return KEYS.get(problem[0], problem[0]), problem[1]


def encode(instance: Instance) -> dict[str, Any]:
    """An instance that came from elsewhere (TOML, the demo) as ``instance_state``."""
    standard = [t for t in instance.transforms if {t.input, t.output} <= STANDARD_TYPES]
    other = [t for t in instance.transforms if t not in standard]
    return {
        "deployment-config": {
            "deployment-url-element": instance.url_element,
            "deployment-realm": instance.realm,
            "deployment-auth-target-mappings": {},
        },
        "persist-issued-tokens-in-cts": _text(instance.persist_issued_tokens),
        # Left out where it is off: brokers that do not know it yet write the same document.
        **({"cancel-with-parent": "true"} if instance.cancel_with_parent else {}),
        **({"requesters": _requesters_state(instance)} if instance.requesters else {}),
        "supported-token-transforms": [_transform_state(t) for t in standard],
        "custom-token-transforms": [_transform_state(t) for t in other],
        "saml2-config": _saml2_state(instance.saml2) if instance.saml2 else None,
        "oidc-id-token-config": _oidc_state(instance.oidc) if instance.oidc else None,
    }


def shown(state: Mapping[str, Any]) -> dict[str, Any]:
    """The document as a read answers it: scalars as strings, secrets hidden."""
    result: dict[str, Any] = {}
    for key, value in state.items():
        if key in SECRET_KEYS and value:
            result[key] = REDACTED
        elif isinstance(value, Mapping):
            result[key] = shown(value)
        elif isinstance(value, list):
            result[key] = [shown(v) if isinstance(v, Mapping) else v for v in value]
        elif key == "invalidateInterimOpenAMSession" or value is None:
            result[key] = value
        else:
            result[key] = _text(value)
    return result


def with_kept_secrets(state: Mapping[str, Any], old: Mapping[str, Any] | None) -> dict[str, Any]:
    """The document with each hidden secret put back from ``old``.

    Raises InvalidInstance naming a hidden secret that was never there.
    """
    problems: list[tuple[str, str]] = []
    result = _restored(state, old or {}, problems)
    if problems:
        raise InvalidInstance(problems)
    return result


def _restored(
    state: Mapping[str, Any], old: Mapping[str, Any], problems: list[tuple[str, str]]
) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in state.items():
        before = old.get(key)
        if isinstance(value, Mapping):
            inner = before if isinstance(before, Mapping) else {}
            result[key] = _restored(value, inner, problems)
        elif key in SECRET_KEYS and value == REDACTED:
            if not before:
                problems.append((key, "there is no secret to keep; write one"))
            result[key] = before
        else:
            result[key] = value
    return result


def _transforms(top: Members) -> tuple[Transform, ...]:
    found: dict[tuple[str, str], Transform] = {}
    for key in ("supported-token-transforms", "custom-token-transforms"):
        for entry in top.objects(key):
            given, wanted = entry.text("inputTokenType"), entry.text("outputTokenType")
            if not given or not wanted:
                top.wrong(key, "each entry needs inputTokenType and outputTokenType")
                continue
            standard = {given, wanted} <= STANDARD_TYPES
            if standard != (key == "supported-token-transforms"):
                top.wrong(key, f"{given} to {wanted} belongs in the other list of transforms")
            flag = entry.flag("invalidateInterimOpenAMSession")
            pair = Transform(TokenType(given), TokenType(wanted), flag)
            found.setdefault((given, wanted), pair)
    for key in ("custom-token-validators", "custom-token-providers"):
        if top.given(key):
            top.wrong(key, "plug-ins are named by their token type alone; leave this list empty")
    return tuple(found.values())


def _saml2(top: Members, problems: list[tuple[str, str]]) -> Saml2Options | None:
    if top.value("saml2-config") is None:
        return None
    members = Members(top.value("saml2-config"), "saml2-config", problems)
    _refuse_plug_ins(members, "saml2-config")
    for key in ENCRYPTION_FLAGS:
        if members.flag(key):
            members.wrong(key, "encryption of assertions is not available in this version")
    return Saml2Options(
        issuer=members.text("issuer-name"),
        audience=members.text("saml2-sp-entity-id"),
        recipient=members.optional("saml2-sp-acs-url"),
        name_id_format=members.optional("saml2-name-id-format"),
        lifetime_seconds=members.whole("saml2-token-lifetime-seconds", DEFAULT_LIFETIME_SECONDS),
        attribute_map=members.text_map("saml2-attribute-map"),
        signing_key=_saml2_key(members) if members.flag("saml2-sign-assertion") else None,
    )


def _saml2_key(members: Members) -> SigningKey:
    named = members.text("saml2-signature-algorithm")
    algorithm = SAML2_SIGNATURE_ALGORITHMS.get(named)
    if algorithm is None:
        members.wrong("saml2-signature-algorithm", "sign with RS256 or ES256, or their XML URIs")
    _check_own_ring(members, "saml2-keystore-filename")
    return SigningKey(algorithm or "RS256", members.text("saml2-signature-key-alias", ACTIVE_KEY))


def _oidc(top: Members, problems: list[tuple[str, str]]) -> OidcOptions | None:
    if top.value("oidc-id-token-config") is None:
        return None
    members = Members(top.value("oidc-id-token-config"), "oidc-id-token-config", problems)
    _refuse_plug_ins(members, "oidc-id-token-config")
    multi_valued = members.text("oidc-multi-valued-claims", "joined")
    if multi_valued not in ("joined", "array"):
        members.wrong("oidc-multi-valued-claims", "write joined or array")
    return OidcOptions(
        issuer=members.text("oidc-issuer"),
        audience=members.texts("oidc-audience"),
        signing_key=_oidc_key(members),
        authorized_party=members.optional("oidc-authorized-party"),
        lifetime_seconds=members.whole("oidc-token-lifetime-seconds", DEFAULT_LIFETIME_SECONDS),
        claim_map=members.text_map("oidc-claim-map"),
        public_key_reference=members.text("oidc-public-key-reference-type", "NONE"),
        multi_valued_as_array=multi_valued == "array",
    )


def _oidc_key(members: Members) -> SigningKey:
    algorithm = members.text("oidc-signature-algorithm")
    if algorithm in HMAC_ALGORITHMS:
        return SigningKey(algorithm, secret=Secret(members.text("oidc-client-secret")))
    _check_own_ring(members, "oidc-keystore-location")
    return SigningKey(algorithm, members.text("oidc-signature-key-alias", ACTIVE_KEY))


def _check_own_ring(members: Members, key: str) -> None:
    if members.text(key) not in ("", OWN_KEY_RING):
        members.wrong(key, f"leave it empty or write {OWN_KEY_RING} for the realm's own keys")


def _refuse_plug_ins(members: Members, section: str) -> None:
    for key in PLUG_IN_KEYS[section]:
        if members.given(key):
            members.wrong(key, "plug-in classes are not available in this version; leave it empty")


def _transform_state(transform: Transform) -> dict[str, Any]:
    return {
        "inputTokenType": transform.input,
        "outputTokenType": transform.output,
        "invalidateInterimOpenAMSession": transform.invalidate_session,
    }


def _requesters_state(instance: Instance) -> dict[str, list[str]]:
    return {transport: sorted(names) for transport, names in sorted(instance.requesters.items())}


def _saml2_state(options: Saml2Options) -> dict[str, Any]:
    key = options.signing_key
    return {
        "issuer-name": options.issuer,
        "saml2-sp-entity-id": options.audience,
        "saml2-sp-acs-url": options.recipient,
        "saml2-name-id-format": options.name_id_format,
        "saml2-token-lifetime-seconds": str(options.lifetime_seconds),
        "saml2-attribute-map": dict(options.attribute_map),
        "saml2-sign-assertion": _text(key is not None),
        "saml2-signature-algorithm": key.algorithm if key else None,
        "saml2-keystore-filename": OWN_KEY_RING if key else None,
        "saml2-signature-key-alias": key.alias if key else None,
        "saml2-encrypt-assertion": "false",
        "saml2-encrypt-attributes": "false",
        "saml2-encrypt-nameid": "false",
        "saml2-encryption-algorithm-strength": "0",
    }


def _oidc_state(options: OidcOptions) -> dict[str, Any]:
    key = options.signing_key
    hmac = key.algorithm in HMAC_ALGORITHMS
    return {
        "oidc-issuer": options.issuer,
        "oidc-token-lifetime-seconds": str(options.lifetime_seconds),
        "oidc-audience": list(options.audience),
        "oidc-authorized-party": options.authorized_party,
        "oidc-signature-algorithm": key.algorithm,
        "oidc-public-key-reference-type": options.public_key_reference,
        "oidc-keystore-location": None if hmac else OWN_KEY_RING,
        "oidc-signature-key-alias": None if hmac else key.alias,
        "oidc-client-secret": key.secret.reveal() if key.secret else None,
        "oidc-claim-map": dict(options.claim_map),
        "oidc-multi-valued-claims": "array" if options.multi_valued_as_array else "joined",
    }


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)

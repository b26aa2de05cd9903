"""``instance_state``: how the ForgeRock publish service writes an instance.

This JSON is also how instances are stored. Scalars are strings on that wire; native JSON types are
read as well. Keys that no feature here needs are kept, so that a read-modify-write loses nothing.
Keys of our own at the top: ``cancel-with-parent``, ``keep-issued-tokens`` and ``requesters``; those
of the sections stand in ``forgerock_saml2`` and ``forgerock_oidc``.
"""

from __future__ import annotations

from typing import Any

from adapters.instances import forgerock_deployment, forgerock_oidc, forgerock_saml2
from adapters.instances.forgerock_keys import OWN_KEY_RING
from adapters.instances.members import Members
from adapters.instances.redaction import REDACTED, SECRET_KEYS, shown, text, with_kept_secrets
from broker.instance import (
    REQUESTER_TRANSPORTS,
    STANDARD_TYPES,
    Instance,
    OidcOptions,
    Saml2Options,
    Transform,
)
from broker.model import TokenType, normal_realm

__all__ = [
    "KEYS",
    "OWN_KEY_RING",
    "REDACTED",
    "SECRET_KEYS",
    "decode",
    "encode",
    "named",
    "shown",
    "with_kept_secrets",
]

SAML2 = "saml2-config"
OIDC = "oidc-id-token-config"
DEPLOYMENT = "deployment-config"
STANDARD_TRANSFORMS = "supported-token-transforms"
CUSTOM_TRANSFORMS = "custom-token-transforms"
VALIDATORS = "custom-token-validators"
PROVIDERS = "custom-token-providers"

# What the core calls a field, as this document calls it.
KEYS = {
    "transforms": STANDARD_TRANSFORMS,
    "custom_transforms": CUSTOM_TRANSFORMS,
    "custom_validators": VALIDATORS,
    "custom_providers": PROVIDERS,
    "cancel_with_parent": "cancel-with-parent",
    "keep_issued_tokens": "keep-issued-tokens",
    **forgerock_deployment.KEYS,
    **forgerock_saml2.KEYS,
    **forgerock_oidc.KEYS,
}


def decode(state: Any) -> tuple[Instance, list[tuple[str, str]]]:
    """The draft in an ``instance_state``, and the (key, sentence) of each member that is wrong."""
    problems: list[tuple[str, str]] = []
    top = Members(state, "instance_state", problems)
    place = Members(top.value(DEPLOYMENT), DEPLOYMENT, problems)
    if top.value(DEPLOYMENT) is None:
        top.wrong(DEPLOYMENT, "say where the instance is deployed")
    draft = Instance(
        realm=normal_realm(place.text("deployment-realm", "/")),
        url_element=place.text("deployment-url-element"),
        transforms=_transforms(top),
        saml2=_saml2(top),
        oidc=_oidc(top),
        persist_issued_tokens=top.flag("persist-issued-tokens-in-cts"),
        cancel_with_parent=top.flag("cancel-with-parent"),
        keep_issued_tokens=top.flag("keep-issued-tokens"),
        requesters=top.name_sets("requesters", REQUESTER_TRANSPORTS),
        auth_targets=forgerock_deployment.targets(place),
        certificate_header=place.optional("deployment-offloaded-two-way-tls-header-key"),
        offload_hosts=place.texts("deployment-tls-offload-engine-hosts"),
        custom_validators=_operations(top, VALIDATORS),
        custom_providers=_operations(top, PROVIDERS),
    )
    return draft, problems


def named(problem: tuple[str, str]) -> tuple[str, str]:
    """A problem of the core, under this document's key."""
    return KEYS.get(problem[0], problem[0]), problem[1]


def encode(instance: Instance) -> dict[str, Any]:
    """An instance that came from elsewhere (TOML, the demo) as ``instance_state``."""
    standard = [t for t in instance.transforms if {t.input, t.output} <= STANDARD_TYPES]
    other = [t for t in instance.transforms if t not in standard]
    validators, providers = instance.custom_validators, instance.custom_providers
    return {
        DEPLOYMENT: forgerock_deployment.encode(instance),
        "persist-issued-tokens-in-cts": text(instance.persist_issued_tokens),
        # Left out where it is off: brokers that do not know it yet write the same document.
        **({"cancel-with-parent": "true"} if instance.cancel_with_parent else {}),
        **({"keep-issued-tokens": "true"} if instance.keep_issued_tokens else {}),
        **({"requesters": _requesters_state(instance)} if instance.requesters else {}),
        STANDARD_TRANSFORMS: [_transform_state(t) for t in standard],
        CUSTOM_TRANSFORMS: [_transform_state(t) for t in other],
        **({VALIDATORS: _operations_state(validators)} if validators else {}),
        **({PROVIDERS: _operations_state(providers)} if providers else {}),
        SAML2: forgerock_saml2.encode(instance.saml2) if instance.saml2 else None,
        OIDC: forgerock_oidc.encode(instance.oidc) if instance.oidc else None,
    }


def _transforms(top: Members) -> tuple[Transform, ...]:
    found: dict[tuple[str, str], Transform] = {}
    for key in (STANDARD_TRANSFORMS, CUSTOM_TRANSFORMS):
        for entry in top.objects(key):
            given, wanted = entry.text("inputTokenType"), entry.text("outputTokenType")
            if not given or not wanted:
                top.wrong(key, "each entry needs inputTokenType and outputTokenType")
                continue
            standard = {given, wanted} <= STANDARD_TYPES
            if standard != (key == STANDARD_TRANSFORMS):
                top.wrong(key, f"{given} to {wanted} belongs in the other list of transforms")
            flag = entry.flag("invalidateInterimOpenAMSession")
            pair = Transform(TokenType(given), TokenType(wanted), flag)
            found.setdefault((given, wanted), pair)
    return tuple(found.values())


def _operations(top: Members, key: str) -> dict[TokenType, str]:
    found: dict[TokenType, str] = {}
    for entry in top.objects(key):
        name, plug_in = entry.text("customTokenName"), entry.text("customOperationClassName")
        if not name or not plug_in:
            top.wrong(key, "each entry needs customTokenName and customOperationClassName")
        elif found.setdefault(TokenType(name), plug_in) != plug_in:
            top.wrong(key, f"{name} is named twice")
    return found


def _saml2(top: Members) -> Saml2Options | None:
    if top.value(SAML2) is None:
        return None
    return forgerock_saml2.decode(Members(top.value(SAML2), SAML2, top.problems))


def _oidc(top: Members) -> OidcOptions | None:
    if top.value(OIDC) is None:
        return None
    return forgerock_oidc.decode(Members(top.value(OIDC), OIDC, top.problems))


def _transform_state(transform: Transform) -> dict[str, Any]:
    return {
        "inputTokenType": transform.input,
        "outputTokenType": transform.output,
        "invalidateInterimOpenAMSession": transform.invalidate_session,
    }


def _operations_state(operations: Any) -> list[dict[str, str]]:
    return [
        {"customTokenName": name, "customOperationClassName": plug_in}
        for name, plug_in in operations.items()
    ]


def _requesters_state(instance: Instance) -> dict[str, list[str]]:
    return {transport: sorted(names) for transport, names in sorted(instance.requesters.items())}

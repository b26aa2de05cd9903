"""The flat form of an instance: ``invocation_context_view_bean``.

The keys are those of the structured document without its sections, and every value is a list of
strings, in which a transform is ``IN|OUT|true``, a custom operation ``NAME|plug-in``, an
authentication target ``TYPE|indexType|indexValue|k=v,k=v`` and an entry of a map ``key=value``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from adapters.instances import forgerock_deployment as deployment
from adapters.instances.forgerock import (
    CUSTOM_TRANSFORMS,
    DEPLOYMENT,
    OIDC,
    PROVIDERS,
    SAML2,
    STANDARD_TRANSFORMS,
    VALIDATORS,
)
from adapters.instances.known_keys import KEYS
from adapters.instances.members import MAX_LIST_LENGTH
from broker.errors import InvalidInstance
from broker.instance import DEFAULT_LIFETIME_SECONDS

MAPS = frozenset(
    {
        "saml2-attribute-map",
        "saml2-authn-context-map",
        "oidc-claim-map",
        "oidc-authn-context-map",
        "oidc-authn-methods-map",
    }
)
LISTS = frozenset({"oidc-audience", "deployment-tls-offload-engine-hosts"})
DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    SAML2: {
        "saml2-token-lifetime-seconds": str(DEFAULT_LIFETIME_SECONDS),
        "saml2-attribute-map": {},
        "saml2-encryption-algorithm-strength": "0",
    },
    OIDC: {"oidc-token-lifetime-seconds": str(DEFAULT_LIFETIME_SECONDS), "oidc-claim-map": {}},
    DEPLOYMENT: {deployment.TARGETS: {}},
}
"""What the reference's schema fills in, where it is safe to."""

_ISSUERS = {SAML2: "issuer-name", OIDC: "oidc-issuer"}
_OUTPUTS = {SAML2: "SAML2", OIDC: "OPENIDCONNECT"}


def structured(flat: Mapping[str, Any]) -> dict[str, Any]:
    """The ``instance_state`` that a flat one says the same as.

    Raises InvalidInstance with every value that is not in its packed form.
    """
    problems: list[tuple[str, str]] = []
    state: dict[str, Any] = {DEPLOYMENT: {}, SAML2: {}, OIDC: {}}
    for key, value in flat.items():
        texts = _texts(key, value, problems)
        if not texts:
            continue
        try:
            _section(state, key)[key] = _unpacked(key, texts)
        except ValueError as error:
            problems.append((key, str(error)))
    if problems:
        raise InvalidInstance(problems)
    for section, defaults in DEFAULTS.items():
        state[section] = {**defaults, **state[section]}
    for section in (SAML2, OIDC):
        if not _wanted(state, section):
            state[section] = None
    return state


def _wanted(state: Mapping[str, Any], section: str) -> bool:
    """The reference leaves a section out whose issuer is empty."""
    outputs = [
        entry["outputTokenType"]
        for key in (STANDARD_TRANSFORMS, CUSTOM_TRANSFORMS)
        for entry in state.get(key, ())
    ]
    return bool(state[section].get(_ISSUERS[section])) or _OUTPUTS[section] in outputs


def _section(state: dict[str, Any], key: str) -> dict[str, Any]:
    section = _section_of(key)
    found: dict[str, Any] = state if section is None else state[section]
    return found


def _section_of(key: str) -> str | None:
    if key.startswith("deployment-"):
        return DEPLOYMENT
    if key.startswith("saml2-") or key == "issuer-name":
        return SAML2
    return OIDC if key.startswith("oidc-") else None


def _texts(key: str, value: Any, problems: list[tuple[str, str]]) -> list[str]:
    """The values of a key, blank ones apart; one value may stand without its list."""
    values = value if isinstance(value, list) else [value]
    if value is None:
        return []
    if len(values) > MAX_LIST_LENGTH or not all(isinstance(each, str) for each in values):
        problems.append((key, f"write a list of up to {MAX_LIST_LENGTH} strings"))
        return []
    return [each for each in values if each.strip()]


def _unpacked(key: str, texts: list[str]) -> Any:
    """Raises ValueError with what is wrong."""
    if key in _LISTS_OF_PARTS:
        return [_LISTS_OF_PARTS[key](text) for text in texts]
    if key == deployment.TARGETS:
        return dict(map(_target, texts))
    if key in MAPS:
        return dict(map(_entry, texts))
    if key == "requesters":
        return _requesters(texts)
    if key in LISTS:
        return texts
    if len(texts) == 1:
        return texts[0]
    if key in KEYS:
        raise ValueError("write one value")
    return texts  # kept without effect, like any key that means nothing here


def _transform(text: str) -> dict[str, Any]:
    parts = [part.strip() for part in text.split("|")]
    if len(parts) != 3 or parts[2].lower() not in ("true", "false"):
        raise ValueError("write a transform as INPUT|OUTPUT|true or INPUT|OUTPUT|false")
    return {
        "inputTokenType": parts[0],
        "outputTokenType": parts[1],
        "invalidateInterimOpenAMSession": parts[2].lower() == "true",
    }


def _operation(text: str) -> dict[str, str]:
    parts = [part.strip() for part in text.split("|")]
    if len(parts) != 2 or not all(parts):
        raise ValueError("write a custom operation as NAME|plug-in")
    return {"customTokenName": parts[0], "customOperationClassName": parts[1]}


_LISTS_OF_PARTS: Mapping[str, Callable[[str], dict[str, Any]]] = {
    STANDARD_TRANSFORMS: _transform,
    CUSTOM_TRANSFORMS: _transform,
    VALIDATORS: _operation,
    PROVIDERS: _operation,
}


def _target(text: str) -> tuple[str, dict[str, Any]]:
    parts = [part.strip() for part in text.split("|", 3)]
    if len(parts) < 3 or not all(parts[:3]):
        raise ValueError(
            "write an authentication target as TYPE|indexType|indexValue, and |k1=v1,k2=v2 after it"
        )
    context = dict(map(_entry, parts[3].split(","))) if len(parts) == 4 and parts[3] else None
    return parts[0], {
        deployment.INDEX_TYPE: parts[1],
        deployment.INDEX_VALUE: parts[2],
        deployment.CONTEXT: context,
    }


def _entry(text: str) -> tuple[str, str]:
    """Split at the first equals sign: the value may have more, where the reference loses them."""
    key, found, value = text.partition("=")
    if not found or not key.strip():
        raise ValueError("write an entry of a map as key=value")
    return key.strip(), value.strip()


def _requesters(texts: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for transport, name in map(_entry, texts):
        found.setdefault(transport, []).extend([name] if name else [])
    return found

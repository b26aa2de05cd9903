"""Bodies of the publish service: an instance, structured by sections or flat."""

from __future__ import annotations

from typing import Any

from adapters.http.openapi.shapes import MAP, NAME, TEXT, TEXTS, Schema, obj, one_of, ref, said
from adapters.http.publish import FLAT, STRUCTURED
from adapters.instances import forgerock, forgerock_deployment, known_keys
from adapters.instances.view_bean import LISTS, MAPS
from adapters.instances.wire_rules import REQUIRED
from broker.instance import REQUESTER_TRANSPORTS

_SCALAR: Schema = {"type": ["string", "boolean", "integer", "null"]}
_PREFIXES = {
    forgerock.DEPLOYMENT: ("deployment-",),
    forgerock.SAML2: ("saml2-", "issuer-name"),
    forgerock.OIDC: ("oidc-",),
}
_ALWAYS = {
    forgerock.DEPLOYMENT: ("deployment-url-element",),
    forgerock.SAML2: ("issuer-name", "saml2-sp-entity-id"),
    forgerock.OIDC: ("oidc-issuer", "oidc-audience", "oidc-signature-algorithm"),
}
_OBJECTS = (forgerock_deployment.TARGETS, "oidc-encryption-key", "oidc-authn-methods-map")


def schemas() -> dict[str, Schema]:
    changed = {"_id": TEXT, "_rev": TEXT, "result": {"const": "success"}}
    return {
        "instance.publish": {
            "description": "An instance, in either of the two spellings that AM has.",
            "anyOf": [
                _publish(STRUCTURED, ref("instance.state")),
                _publish(FLAT, ref("instance.flat")),
            ],
        },
        "instance.state": _state(),
        "instance.flat": {
            "description": "The same keys side by side, each value a list of strings: a transform "
            "is IN|OUT|true, an entry of a map is key=value.",
            "type": "object",
            "properties": {key: dict(TEXTS) for key in sorted(known_keys.KEYS)},
        },
        "instance.published": obj(
            "The instance is published.", {**changed, "url_element": said("Its id.", TEXT)}
        ),
        "instance.updated": obj("The instance is updated.", changed),
        "instance": {
            **obj("An instance, under its id.", {"_id": TEXT, "_rev": TEXT}),
            "additionalProperties": ref("instance.shown"),
        },
        "instances": {
            **obj(
                "Instances, each under its id.",
                {"_id": {"const": "published_instances"}, "_rev": TEXT},
            ),
            "additionalProperties": ref("instance.shown"),
        },
        "instance.shown": {**_state(), "required": [forgerock.DEPLOYMENT]},
    }


def _publish(context: str, state: Schema) -> Schema:
    return obj("", {"invocation_context": {"const": context}, "instance_state": state})


def _state() -> Schema:
    sections = {name: _section(name) for name in _PREFIXES}
    pairs = {
        "type": ["array", "null"],
        "items": obj(
            "",
            {"inputTokenType": NAME, "outputTokenType": NAME},
            {"invalidateInterimOpenAMSession": _SCALAR},
        ),
    }
    operations = {
        "type": ["array", "null"],
        "items": obj("", {"customTokenName": NAME, "customOperationClassName": NAME}),
    }
    top = {
        "persist-issued-tokens-in-cts": _SCALAR,
        "keep-issued-tokens": _SCALAR,
        "cancel-with-parent": _SCALAR,
        "requesters": {
            "description": "Who may ask through a message server.",
            "type": ["object", "null"],
            "properties": {name: {"type": "array"} for name in REQUESTER_TRANSPORTS},
        },
        forgerock.STANDARD_TRANSFORMS: pairs,
        forgerock.CUSTOM_TRANSFORMS: pairs,
        forgerock.VALIDATORS: operations,
        forgerock.PROVIDERS: operations,
    }
    return {
        "description": "An instance. Scalars may be strings, as AM writes them, or native JSON; "
        "keys that nobody here knows are kept.",
        "type": "object",
        "properties": {**sections, **top},
        "required": [forgerock.DEPLOYMENT],
    }


def _section(name: str) -> Schema:
    keys = [key for key in sorted(known_keys.KEYS) if key.startswith(_PREFIXES[name])]
    kinds = ["object"] if name == forgerock.DEPLOYMENT else ["object", "null"]
    return {
        "type": kinds,
        "properties": {key: _member(key) for key in keys},
        "required": sorted({*REQUIRED[name], *_ALWAYS[name]} & set(keys)),
    }


def _member(key: str) -> Schema:
    found = _kind(key)
    if key in forgerock.SECRET_KEYS:
        return said(f"Shown as {forgerock.REDACTED}, which keeps it.", found)
    return found


def _kind(key: str) -> Schema:
    if key in _OBJECTS:
        return {"type": ["object", "string", "null"]}
    if key in MAPS:
        return _nullable(MAP)
    if key in LISTS:
        return {"type": ["array", "string", "null"], "items": dict(TEXT)}
    if key == "oidc-multi-valued-claims":
        return one_of(("joined", "array", None))
    return dict(_SCALAR)


def _nullable(schema: Any) -> Schema:
    return {**schema, "type": [schema["type"], "null"]}

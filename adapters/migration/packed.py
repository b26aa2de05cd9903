"""Any value of an export as the strings that the flat form of an instance has for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from adapters.instances.forgerock_deployment import CONTEXT, INDEX_TYPE, INDEX_VALUE

PLACEHOLDER = "&{"


class Unpackable(Exception):
    """A value has a shape that no such key has; the text is a sentence."""


def texts(key: str, value: Any) -> list[str]:
    """The strings. Raises Unpackable."""
    if value is None or value == "":
        return []
    if key == "oidc-encryption-key" and isinstance(value, Mapping):
        return [orjson.dumps(value).decode()]
    if isinstance(value, Mapping):
        return [_entry(name, each) for name, each in value.items()]
    if isinstance(value, list):
        return [_item(each) for each in value if each not in (None, "")]
    return [_scalar(value)]


def typed_placeholder(value: Any) -> str | None:
    """The text in ``{"$int": "&{…}"}`` and its like, which stand for a value of that type."""
    if isinstance(value, Mapping) and len(value) == 1:
        ((name, inner),) = value.items()
        if isinstance(name, str) and name.startswith("$"):
            return inner if isinstance(inner, str) else PLACEHOLDER
    return None


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if _is_plain(value):
        return str(value)
    raise Unpackable("this key takes no such value")


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int | float)


def _item(item: Any) -> str:
    if not isinstance(item, Mapping):
        return _scalar(item)
    if "inputTokenType" in item:
        flag = item.get("invalidateInterimOpenAMSession") in (True, "true", "TRUE")
        return f"{item['inputTokenType']}|{item.get('outputTokenType', '')}|{str(flag).lower()}"
    if "customTokenName" in item:
        return f"{item['customTokenName']}|{item.get('customOperationClassName', '')}"
    raise Unpackable("this key takes no such objects")


def _entry(name: str, value: Any) -> str:
    if isinstance(value, Mapping) and INDEX_TYPE in value:
        return _target(name, value)
    if "=" in name:
        raise Unpackable("an equals sign in the name of an entry cannot be told from its value")
    if isinstance(value, list):
        # Of the maps only that of authentication methods has lists, and takes words instead.
        return f"{name}={' '.join(map(_scalar, value))}"
    return f"{name}={_scalar(value)}"


def _target(name: str, target: Mapping[str, Any]) -> str:
    context = target.get(CONTEXT) or {}
    plain = isinstance(context, Mapping) and all(map(_is_plain, context.values()))
    if not plain:
        raise Unpackable(f"write the {CONTEXT} of {name} as an object of plain values")
    pairs = [f"{key}={value}" for key, value in context.items()]
    if any("," in pair for pair in pairs):
        raise Unpackable("a comma in a mapping context cannot be kept; publish this one by hand")
    parts = [name, str(target.get(INDEX_TYPE, "")), str(target.get(INDEX_VALUE, ""))]
    return "|".join([*parts, *([",".join(pairs)] if pairs else [])])

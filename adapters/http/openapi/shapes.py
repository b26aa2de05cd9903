"""How schemas are written here: JSON Schema, draft 2020-12, as OpenAPI 3.1 takes it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

Schema = dict[str, Any]

WHERE: Final = "#/components/schemas/"

TEXT: Mapping[str, Any] = {"type": "string"}
NAME: Mapping[str, Any] = {"type": "string", "minLength": 1}
FLAG: Mapping[str, Any] = {"type": "boolean"}
WHOLE: Mapping[str, Any] = {"type": "integer"}
MOMENT: Mapping[str, Any] = {"type": "string", "format": "date-time"}
TEXTS: Mapping[str, Any] = {"type": "array", "items": TEXT}
MAP: Mapping[str, Any] = {"type": "object", "additionalProperties": TEXT}
SECRET: Mapping[str, Any] = {"type": "string", "format": "password"}


def ref(name: str) -> Schema:
    return {"$ref": WHERE + name}


def said(description: str, schema: Mapping[str, Any]) -> Schema:
    """The schema with words."""
    return {**schema, "description": description}


def obj(
    description: str,
    properties: Mapping[str, Mapping[str, Any]],
    optional: Mapping[str, Mapping[str, Any]] | None = None,
    **more: Any,
) -> Schema:
    """An object whose ``properties`` are always there, and whose ``optional`` ones may be."""
    return {
        **({"description": description} if description else {}),
        "type": "object",
        "properties": {**properties, **(optional or {})},
        **({"required": list(properties)} if properties else {}),
        **more,
    }


def one_of(values: Iterable[Any]) -> Schema:
    return {"enum": list(values)}


def listed(name: str) -> Schema:
    """The answer that lists rows."""
    return obj(
        "All there are.",
        {"result": {"type": "array", "items": ref(name)}, "resultCount": {"type": "integer"}},
    )

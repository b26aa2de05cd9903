"""The JSON Schemas (draft 2020-12) of events: of the CloudEvent, and of each type's ``data``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from adapters.events.catalogue import KINDS, MEMBERS, Kind
from adapters.events.cloudevents import SPEC_VERSION

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
ENVELOPE: Final = "cloudevent"
OPTIONAL: Final = frozenset({"subject", "traceparent", "tracestate"})
ENVELOPE_ID: Final = "urn:remint:schema:event:cloudevent:1"


def schemas() -> dict[str, dict[str, Any]]:
    """Every schema by its file's name without ``.json``."""
    return {ENVELOPE: envelope(), **{kind.name: data_schema(kind) for kind in KINDS}}


def data_schema(kind: Kind) -> dict[str, Any]:
    """The schema of ``data``. Members may be added to it without a new version."""
    return {
        "$schema": DIALECT,
        "$id": kind.schema_id,
        "title": kind.type,
        "description": kind.says,
        "type": "object",
        "properties": {
            name: {"type": kind_of_value, "description": MEMBERS[name]}
            for name, kind_of_value in kind.members.items()
        },
        "required": list(kind.members),
    }


def envelope() -> dict[str, Any]:
    """What every event has around its ``data``."""
    properties: Mapping[str, Mapping[str, Any]] = {
        "specversion": {"type": "string", "const": SPEC_VERSION},
        "id": _text("The same whenever the same fact is announced: for de-duplication."),
        "type": {
            "type": "string",
            "enum": [kind.type for kind in KINDS],
            "description": "What has happened.",
        },
        "source": _text("The issuer URL of the realm.", format="uri"),
        "subject": _text("What it is about: the id of an instance, or the kid of a key."),
        "time": _text("When it happened.", format="date-time"),
        "datacontenttype": {"type": "string", "const": "application/json"},
        "dataschema": _text("The $id of the schema of data.", format="uri"),
        "traceparent": _text("W3C Trace Context of the request behind it, where it had one."),
        "tracestate": _text("W3C Trace Context of the request behind it, where it had one."),
        "data": {"type": "object", "description": "Its members, as dataschema says."},
    }
    return {
        "$schema": DIALECT,
        "$id": ENVELOPE_ID,
        "title": "An event of Remint",
        "description": "CloudEvents 1.0, JSON event format, structured mode.",
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in OPTIONAL],
    }


def _text(description: str, **more: str) -> dict[str, str]:
    return {"type": "string", **more, "description": description}

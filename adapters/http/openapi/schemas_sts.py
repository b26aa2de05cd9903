"""Bodies of translations, and what is kept of them."""

from __future__ import annotations

from typing import Any

from adapters.http.openapi.shapes import (
    NAME,
    TEXT,
    WHERE,
    WHOLE,
    Schema,
    obj,
    one_of,
    ref,
    said,
)
from adapters.http.tokengen import SELECTORS
from adapters.schema import bodies

_DEFINITIONS = "#/$defs/"
_BY_MESSAGE = ("instance", "reply_jwk")
"""Members that HTTP says in the path, or has no use for."""


def schemas() -> dict[str, Schema]:
    return {**_translations(), **_records()}


def _translations() -> dict[str, Schema]:
    """Those of the messages, without what only a message has to say."""
    found = {
        name: _over_http(body)
        for name, body in {**bodies.definitions(), **bodies.bodies()}.items()
        if name not in (*_BY_MESSAGE, "result")
    }
    answers = [ref(bodies.ANSWER), ref(bodies.BATCH_ANSWER)]
    return {**found, "stored.answer": {"anyOf": answers}}


def _over_http(body: Schema) -> Schema:
    found: Schema = _led(body)
    if "properties" in found:
        kept = {k: v for k, v in found["properties"].items() if k not in _BY_MESSAGE}
        found["properties"] = kept
        if "required" in found:
            found["required"] = [name for name in found["required"] if name in kept]
    return found


def _led(value: Any) -> Any:
    """A copy whose references lead to where definitions stand in this document."""
    if isinstance(value, dict):
        return {
            name: WHERE + child.removeprefix(_DEFINITIONS)
            if name == "$ref" and isinstance(child, str)
            else _led(child)
            for name, child in value.items()
        }
    return [_led(child) for child in value] if isinstance(value, list) else value


def _records() -> dict[str, Schema]:
    record = {
        "_id": TEXT,
        "_rev": TEXT,
        "token_id": TEXT,
        "sts_id": said("The instance.", TEXT),
        "principal_name": TEXT,
        "token_type": TEXT,
        "expiration_time": said("Seconds since the epoch.", WHOLE),
    }
    kept = said("Where the instance keeps its tokens.", TEXT)
    return {
        "token": obj("The record of a token.", record, {"issued_token": kept}),
        "tokens": obj(
            "What was found, and how to go on.",
            {
                "result": {"type": "array", "items": ref("token")},
                "resultCount": WHOLE,
                "pagedResultsCookie": {"type": ["string", "null"]},
                "totalPagedResultsPolicy": one_of(("NONE", "EXACT")),
                "totalPagedResults": said("-1 where nobody counted.", WHOLE),
                "remainingPagedResults": said("-1 where nobody counted.", WHOLE),
            },
        ),
        "tokens.cancel": {
            "description": "Which tokens are meant: all that match every member.",
            "type": "object",
            "properties": {name: dict(NAME) for name in SELECTORS},
            "minProperties": 1,
            "additionalProperties": False,
        },
        "tokens.cancelled": obj("How many were cancelled.", {"cancelled": WHOLE}),
        "removed": obj("What was removed.", {"_id": TEXT, "_rev": TEXT, "result": TEXT}),
        "alive": obj("The process lives.", {"status": {"const": "alive"}}),
        "readiness": obj(
            "Whether the broker takes requests.",
            {"status": one_of(("ready", "not ready"))},
            {
                "reasons": said("Why not.", {"type": "array", "items": TEXT}),
                "store": obj(
                    "What an acknowledged write is worth.",
                    {
                        "durable": {"type": ["boolean", "null"]},
                        "settings": {"type": "object"},
                        "warnings": {"type": "array", "items": TEXT},
                    },
                ),
            },
        ),
        "page": said("Prometheus text format, version 0.0.4.", TEXT),
        "events": said("CloudEvents 1.0 in JSON, each as the data of a server-sent event.", TEXT),
        "document": {"type": "object"},
    }

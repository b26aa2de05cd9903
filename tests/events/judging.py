"""Whether an event is what its schemas say."""

from __future__ import annotations

from typing import Any

from jsonschema import Draft202012Validator

from adapters.events.schemas import ENVELOPE, schemas


def check(body: dict[str, Any]) -> None:
    """Raises ValidationError unless an event is as its schemas say."""
    known = schemas()
    Draft202012Validator(known[ENVELOPE]).validate(body)
    [data] = [schema for schema in known.values() if schema["$id"] == body["dataschema"]]
    assert data["title"] == body["type"]
    Draft202012Validator(data).validate(body["data"])

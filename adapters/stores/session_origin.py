"""The origin of a session as stores keep it: a list that JSON can hold, or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from broker.model import Origin


def listed(origin: Origin | None) -> list[Any] | None:
    """As part of a JSON document."""
    if origin is None:
        return None
    attributes = {name: list(values) for name, values in origin.attributes.items()}
    return [origin.target, list(origin.methods), origin.foreign, attributes]


def origin_of(value: Sequence[Any] | None) -> Origin | None:
    """Back from ``listed``."""
    if value is None:
        return None
    target, methods, foreign, attributes = value
    found = {name: tuple(values) for name, values in attributes.items()}
    return Origin(target, tuple(methods), foreign, found)


def text(origin: Origin | None) -> str | None:
    """For a column of a table."""
    return None if origin is None else orjson.dumps(listed(origin)).decode()


def from_text(value: object) -> Origin | None:
    """Back from ``text``."""
    return None if value is None else origin_of(orjson.loads(str(value)))

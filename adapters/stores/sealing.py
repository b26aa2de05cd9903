"""JSON to seal, and sealed values to open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from adapters.keys.root_secret import SealBroken, Sealer
from broker.errors import InvalidRequest, Unavailable


def plain(value: list[Any]) -> bytes:
    """JSON, members in the order they have; raises InvalidRequest for what JSON cannot say."""
    try:
        return orjson.dumps(value, default=_as_dictionary)
    except orjson.JSONEncodeError as error:
        raise InvalidRequest("the store cannot keep this", detail=type(error).__name__) from None


def opened(sealer: Sealer, sealed: bytes, context: bytes) -> bytes:
    """The plaintext; raises Unavailable if it was tampered with."""
    try:
        return sealer.open(sealed, context)
    except SealBroken as error:
        raise Unavailable("the store cannot be read", detail=str(error)) from error


def _as_dictionary(value: object) -> dict[Any, Any]:
    """Read-only mappings, which the JSON writer does not know."""
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError

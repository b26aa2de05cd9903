"""``_fields``: the members of an answer that a caller wants (CREST; JSON pointers, RFC 6901)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from broker.errors import InvalidRequest

MAX_FIELDS = 100
MAX_FIELDS_LENGTH = 4096

_POINTER = re.compile(r"(?:[^~]|~[01])*")
_ALWAYS = (("_id",), ("_rev",))

Pointers = Sequence[tuple[str, ...]]


def parse(values: Sequence[str], *, identified: bool) -> Pointers:
    """Pointers as their segments; none where the whole answer is wanted.

    ``values`` are those of the query parameter, each a list with commas; ``identified`` says that
    ``_id`` and ``_rev`` belong to every answer that has them, as from protocol 2.0 on.

    Raises InvalidRequest.
    """
    if sum(map(len, values)) > MAX_FIELDS_LENGTH:
        raise InvalidRequest(f"_fields has up to {MAX_FIELDS_LENGTH} characters")
    written = [text.strip() for value in values for text in value.split(",")]
    if len(written) > MAX_FIELDS:
        raise InvalidRequest(f"_fields names up to {MAX_FIELDS} members")
    if not all(_POINTER.fullmatch(text) for text in written):
        raise InvalidRequest("_fields has JSON pointers, in which ~ is written ~0 and / is ~1")
    pointers = [_segments(text) for text in written if text]
    if not pointers or () in pointers:
        return ()
    return tuple(dict.fromkeys((*_ALWAYS, *pointers) if identified else pointers))


def chosen(body: Any, pointers: Pointers) -> Any:
    """The body with what the pointers name; of a query's answer, each of its results."""
    if not pointers or not isinstance(body, Mapping):
        return body
    results = body.get("result")
    if isinstance(results, list):
        return {**body, "result": [_filtered(result, pointers) for result in results]}
    return _filtered(body, pointers)


def _filtered(value: Any, pointers: Pointers) -> Any:
    if not isinstance(value, Mapping):
        return value
    kept: dict[str, Any] = {}
    for pointer in pointers:
        if pointer[0] in value:
            _keep(kept, value, pointer)
    return kept


def _keep(kept: dict[str, Any], value: Mapping[str, Any], pointer: tuple[str, ...]) -> None:
    """Copy what the pointer names, in its place; nothing where there is no such member."""
    found: Any = value
    for segment in pointer:
        if not isinstance(found, Mapping) or segment not in found:
            return
        found = found[segment]
    *above, last = pointer
    for segment in above:
        inner = kept.get(segment)
        # A member that was copied whole is somebody else's: never written to.
        kept[segment] = dict(inner) if isinstance(inner, Mapping) else {}
        kept = kept[segment]
    kept[last] = found


def _segments(text: str) -> tuple[str, ...]:
    inner = text.removeprefix("/")
    if not inner:
        return ()
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in inner.split("/"))

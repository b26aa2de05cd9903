"""What of a description was taken away from those who rely on it.

A member may be added, and a limit raised. What breaks a program that was written before: a member
of an answer that is gone or another kind of value, a member of a request that is now required or
may hold less, a message or channel that is not there any more.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

LIMITS = ("maxLength", "maxItems", "maximum")
FLOORS = ("minLength", "minItems", "minimum")
SAME = ("$ref", "const", "pattern", "format", "$id")


def broken(old: Any, new: Any, place: str, *, answer: bool) -> Iterator[str]:
    """Each incompatible change of a JSON Schema, as ``place: what``.

    ``answer`` tells which way it travels: requests may demand less, answers may promise more.
    """
    if not isinstance(old, dict) or not isinstance(new, dict):
        return
    yield from _values(old, new, place, answer=answer)
    for name, schema in old.get("properties", {}).items():
        if name in new.get("properties", {}):
            inside = new["properties"][name]
            yield from broken(schema, inside, f"{place}.{name}", answer=answer)
        else:
            yield f"{place}.{name}: removed"
    before, after = set(old.get("required", ())), set(new.get("required", ()))
    changed = before - after if answer else after - before
    yield from (f"{place}.{name}: {'no longer' if answer else 'now'} required" for name in changed)
    for part in ("items", "if", "then"):
        yield from broken(old.get(part), new.get(part), f"{place}.{part}", answer=answer)
    for part in ("anyOf", "allOf"):
        yield from _parts(old.get(part, []), new.get(part, []), f"{place}.{part}", answer=answer)
    for name, schema in old.get("$defs", {}).items():
        yield from _definition(name, schema, new, answer=answer)


def _values(old: dict[str, Any], new: dict[str, Any], place: str, *, answer: bool) -> Iterator[str]:
    before, after = _kinds(old), _kinds(new)
    narrower, wider = (after, before) if answer else (before, after)
    if before != after and not (before and after and narrower <= wider):
        yield f"{place}: {sorted(before)} became {sorted(after)}"
    yield from (f"{place}: another {name}" for name in SAME if old.get(name) != new.get(name))
    given, taken = set(old.get("enum", ())), set(new.get("enum", ()))
    lost = taken - given if answer and given else given - taken
    if lost:
        yield f"{place}: {'new' if answer else 'missing'} values {sorted(map(str, lost))}"
    if not answer:
        none = float("inf")
        tighter = [n for n in LIMITS if new.get(n, none) < old.get(n, none)]
        tighter += [n for n in FLOORS if new.get(n, 0) > old.get(n, 0)]
        yield from (f"{place}: a tighter {name}" for name in tighter)


def _kinds(schema: dict[str, Any]) -> set[str]:
    kinds = schema.get("type", [])
    return {kinds} if isinstance(kinds, str) else set(kinds)


def _parts(old: list[Any], new: list[Any], place: str, *, answer: bool) -> Iterator[str]:
    if len(new) < len(old):
        yield f"{place}: {len(old) - len(new)} fewer"
    for number, (before, after) in enumerate(zip(old, new, strict=False)):
        yield from broken(before, after, f"{place}[{number}]", answer=answer)


def _definition(name: str, old: Any, new: dict[str, Any], *, answer: bool) -> Iterator[str]:
    if name in new.get("$defs", {}):
        yield from broken(old, new["$defs"][name], name, answer=answer)
    else:
        yield f"{name}: definition removed"


def broken_document(old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    """Each incompatible change of an AsyncAPI document: its ways, and what is said around bodies.

    Bodies are held to their own files.
    """
    for name, channel in old["channels"].items():
        found = new["channels"].get(name)
        if found is None:
            yield f"channel {name}: removed"
            continue
        if found["address"] != channel["address"]:
            yield f"channel {name}: another address"
        missing = channel["messages"].keys() - found["messages"].keys()
        yield from (f"channel {name}: message {message} removed" for message in sorted(missing))
    for name, operation in old["operations"].items():
        yield from _operation(name, operation, new["operations"].get(name))
    answers = _sent(old)
    for name, message in old["components"]["messages"].items():
        found = new["components"]["messages"].get(name)
        if found is None:
            yield f"message {name}: removed"
            continue
        headers = message.get("headers"), found.get("headers")
        yield from broken(*headers, f"message {name}", answer=name in answers)
        if found.get("contentType") != message.get("contentType"):
            yield f"message {name}: another content type"


def _operation(name: str, old: dict[str, Any], new: dict[str, Any] | None) -> Iterator[str]:
    if new is None:
        yield f"operation {name}: removed"
    elif (old["action"], old["channel"]) != (new["action"], new["channel"]):
        yield f"operation {name}: another way"
    else:
        for part in (("messages",), ("reply", "messages")):
            before, after = _named(old, part), _named(new, part)
            if not before <= after:
                yield f"operation {name}: {sorted(before - after)} removed"


def _named(operation: dict[str, Any], path: tuple[str, ...]) -> set[str]:
    value: Any = operation
    for name in path:
        value = value.get(name, {})
    return {reference["$ref"] for reference in value}


def _sent(document: dict[str, Any]) -> set[str]:
    """The messages that the broker sends: answers, events and dead letters."""
    parts = [
        part
        for operation in document["operations"].values()
        for part in (operation.get("reply"), operation if operation["action"] == "send" else None)
        if part is not None
    ]
    return {
        reference["$ref"].rpartition("/")[2] for part in parts for reference in part["messages"]
    }

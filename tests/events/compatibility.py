"""Whether those who rely on a schema can go on with the next one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def incompatible(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What changed so that a reader or a writer of the old schema breaks; a new ``$id`` may."""
    if before["$id"] != after["$id"]:
        return []
    problems = []
    if before.get("type") != after.get("type"):
        problems.append("the whole has another type")
    old, new = before.get("properties", {}), after.get("properties", {})
    for name, was in old.items():
        if name not in new:
            problems.append(f"{name} is gone")
        elif _meaning(was) != _meaning(new[name]):
            problems.append(f"{name} has another type")
    was_required, is_required = set(before.get("required", ())), set(after.get("required", ()))
    problems += [f"{name} may be missing" for name in sorted(was_required - is_required)]
    problems += [f"{name} is required" for name in sorted(is_required - was_required)]
    return problems


def _meaning(schema: Mapping[str, Any]) -> dict[str, Any]:
    """All but what is there for people, and lists of values, which may grow."""
    return {key: schema[key] for key in sorted(schema) if key not in ("description", "enum")}

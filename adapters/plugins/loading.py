"""From the name of a plug-in to the object.

A name is that of an entry point of the role's group, or ``module:attribute`` where the settings
list exactly that: what an instance says never decides alone what code is imported.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from broker.plug_ins import Role
from broker.policy import shown

MAX_NAME_LENGTH = 256
PATH_MARK = ":"


class NotLoaded(Exception):
    """The plug-in cannot be used; the sentence says why and shows nothing of what it raised."""


def loaded(role: Role, name: str, allowed: Iterable[str]) -> Any:
    """The plug-in called ``name``, made anew. Raises NotLoaded.

    The entry point is a class or a function without arguments, which makes the plug-in.
    """
    if not name or len(name) > MAX_NAME_LENGTH or not name.isprintable():
        raise NotLoaded(f"a plug-in's name has 1 to {MAX_NAME_LENGTH} printable characters")
    point = _listed(role, name, allowed) if PATH_MARK in name else _installed(role, name)
    try:
        return point.load()()
    except Exception as error:
        raise NotLoaded(
            f"the plug-in {shown(name)} cannot be loaded: {type(error).__name__} at {_place(error)}"
        ) from error


def method_of(made: Any, role: Role, name: str) -> Callable[[Any], Any]:
    """What the plug-in is asked by in this role. Raises NotLoaded if it has no such method."""
    method: Callable[[Any], Any] | None = getattr(made, role.method, None)
    if not callable(method):
        raise NotLoaded(
            f"the plug-in {shown(name)} has no method {role.method}, which it is named for"
        )
    return method


def _installed(role: Role, name: str) -> EntryPoint:
    found = {point.name: point for point in entry_points(group=role.group)}
    if name not in found:
        known = ", ".join(sorted(found)) or "none"
        raise NotLoaded(
            f"there is no plug-in {shown(name)} in {role.group}; installed there: {known}"
        )
    return found[name]


def _listed(role: Role, name: str, allowed: Iterable[str]) -> EntryPoint:
    if name not in allowed:
        raise NotLoaded(
            f"{shown(name)} is not listed in plugins.allowed; list it there, or install it with an "
            f"entry point in {role.group}"
        )
    return EntryPoint(name=name, value=name, group=role.group)


def _place(error: Exception) -> str:
    """File and line: the text of an error may quote what must not be shown."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else "once"

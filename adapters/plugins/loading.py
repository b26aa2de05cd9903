"""From the name of a plug-in to the object.

A name is that of an entry point of the role's group, or ``module:attribute`` where the settings
list exactly that: what an instance says never decides alone what code is imported.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from broker.plug_ins import Role
from broker.policy import shown

MAX_NAME_LENGTH = 256
PATH_MARK = ":"
RESCAN_SECONDS = 1.0
"""What is installed is looked through no more often: that takes milliseconds, and one document can
name hundreds of plug-ins that are not there."""


class NotLoaded(Exception):
    """The plug-in cannot be used; the sentence says why and shows nothing of what it raised."""


class EntryPoints:
    """What is installed, by group and name, as it was a moment ago."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[float, Mapping[str, EntryPoint]]] = {}

    def of(self, group: str) -> Mapping[str, EntryPoint]:
        now = time.monotonic()
        looked_at, found = self._found.get(group, (now - RESCAN_SECONDS, {}))
        if now - looked_at >= RESCAN_SECONDS:
            found = {point.name: point for point in entry_points(group=group)}
            self._found[group] = now, found
        return found


def loaded(role: Role, name: str, allowed: Iterable[str], installed: EntryPoints) -> Any:
    """The plug-in called ``name``, made anew. Raises NotLoaded.

    The entry point is a class or a function without arguments, which makes the plug-in.
    """
    if not name or len(name) > MAX_NAME_LENGTH or not name.isprintable():
        raise NotLoaded(f"a plug-in's name has 1 to {MAX_NAME_LENGTH} printable characters")
    point = _listed(role, name, allowed) if PATH_MARK in name else _installed(role, name, installed)
    try:
        return point.load()()
    except (Exception, SystemExit) as error:  # a script that ends itself ends no broker
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


def _installed(role: Role, name: str, installed: EntryPoints) -> EntryPoint:
    found = installed.of(role.group)
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


def _place(error: BaseException) -> str:
    """File and line: the text of an error may quote what must not be shown."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else "once"

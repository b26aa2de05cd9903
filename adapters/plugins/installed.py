"""The plug-ins of this process."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from adapters.plugins.calling import SECONDS, Caller
from adapters.plugins.loading import EntryPoints, NotLoaded, loaded, method_of
from broker.errors import PlugInUnavailable
from broker.plug_ins import ROLES


class InstalledPlugIns:
    """Each plug-in is made when it is first named, and then serves every instance that names it.

    ``allowed`` are the names of the form ``module:attribute`` that may be imported. A plug-in that
    cannot be loaded is looked for again the next time.
    """

    def __init__(self, allowed: Iterable[str] = (), *, seconds: float = SECONDS) -> None:
        self._allowed = frozenset(allowed)
        self._seconds = seconds
        self._installed = EntryPoints()
        self._made: dict[tuple[str, str], Any] = {}
        self._callers: dict[tuple[str, str], Caller] = {}

    def problem(self, field: str, name: str) -> str | None:
        """Why the plug-in cannot be used; None if it can."""
        try:
            self._caller(field, name)
        except NotLoaded as error:
            return str(error)
        return None

    async def call(self, field: str, name: str, told: Any) -> Any:
        """What the plug-in answers. Raises PlugInUnavailable, PlugInFailed, and what it refuses
        with."""
        try:
            caller = self._caller(field, name)
        except NotLoaded as error:
            raise PlugInUnavailable(
                "a plug-in that this instance names is not installed here", detail=str(error)
            ) from None
        return await caller.call(told)

    def _caller(self, field: str, name: str) -> Caller:
        found = self._callers.get((field, name))
        if found is not None:
            return found
        role = ROLES[field]
        made = self._made.get((role.group, name))
        if made is None:
            made = loaded(role, name, self._allowed, self._installed)
        found = Caller(name, method_of(made, role, name), self._seconds)
        self._made[role.group, name] = made
        self._callers[field, name] = found
        return found

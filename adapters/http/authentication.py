"""``/json/authentication``: who checks the logins of a realm, for its administrators."""

from __future__ import annotations

from adapters.components import Components
from adapters.http.call import Call, Reply
from adapters.http.rows import RowAdministration
from broker.errors import NotFound


class AuthenticationAdministration:
    """``modules/NAME``, ``chains/NAME`` and ``defaults/TYPE``. Secrets are never shown."""

    def __init__(self, components: Components) -> None:
        directory = components.authentication
        parts = {
            "modules": directory.modules,
            "chains": directory.chains,
            "defaults": directory.defaults,
        }
        self._parts = {
            name: RowAdministration(
                components.sessions, rows, f"authentication {name}", directory.shown
            )
            for name, rows in parts.items()
        }
        self._sessions = components.sessions

    async def handle(self, call: Call, realm: str, rest: str) -> Reply:
        part, _, name = rest.partition("/")
        found = self._parts.get(part)
        if found is None:
            await self._sessions.administrator(call.session_id, realm)
            raise NotFound("there are modules, chains and defaults below authentication")
        return await found.handle(call, realm, name)

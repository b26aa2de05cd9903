"""``/json/trusted-issuers``: whose ID tokens a realm accepts, for its administrators."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.components import Components
from adapters.http.call import Call, Reply
from adapters.issuers import draft
from broker.errors import MethodNotAllowed


class IssuerAdministration:
    """An issuer's ``_id`` is its name. A client secret is never shown."""

    def __init__(self, components: Components) -> None:
        self._sessions = components.sessions
        self._issuers = components.issuers

    async def handle(self, call: Call, realm: str, rest: str) -> Reply:
        session = await self._sessions.administrator(call.session_id, realm)
        call.attempt.requester, call.attempt.realm = session.principal, realm
        call.attempt.operation = f"trusted-issuers {call.method.lower()}"
        if call.method == "GET" and not rest:
            rows = [self._shown(row) for row in await self._issuers.list(realm)]
            return Reply({"result": rows, "resultCount": len(rows)})
        if call.method == "POST" and not rest and call.action in (None, "create"):
            made = await self._issuers.create(realm, await call.json_object())
            return Reply(self._shown(made), 201)
        if call.method == "GET":
            return Reply(self._shown(await self._issuers.get(realm, rest)))
        if call.method == "PUT" and rest:
            return await self._put(call, realm, rest)
        if call.method == "DELETE" and rest:
            gone = await self._issuers.delete(realm, rest, call.expected_revision())
            return Reply(self._shown(gone))
        raise MethodNotAllowed("use GET, POST with _action=create, PUT or DELETE")

    async def _put(self, call: Call, realm: str, name: str) -> Reply:
        row, new = await self._issuers.put(
            realm,
            name,
            await call.json_object(),
            call.expected_revision(),
            must_exist=call.header("If-Match") is not None,
        )
        return Reply(self._shown(row), 201 if new else 200)

    def _shown(self, row: Mapping[str, Any]) -> dict[str, Any]:
        return {"_id": row["name"], "_rev": self._issuers.revision(row), **draft.shown(row)}

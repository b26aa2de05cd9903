"""``/json/certificate-authorities``: whose client certificates a realm accepts, for its
administrators."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.certificates import document
from adapters.components import Components
from adapters.http.call import Call, Reply
from broker.errors import MethodNotAllowed


class AuthorityAdministration:
    """An authority's ``_id`` is its name."""

    def __init__(self, components: Components) -> None:
        self._sessions = components.sessions
        self._authorities = components.authorities

    async def handle(self, call: Call, realm: str, rest: str) -> Reply:
        session = await self._sessions.administrator(call.session_id, realm)
        call.attempt.requester, call.attempt.realm = session.principal, realm
        call.attempt.operation = f"certificate-authorities {call.method.lower()}"
        authorities = self._authorities
        if call.method == "GET" and not rest:
            rows = [_shown(row) for row in await authorities.list(realm)]
            return Reply({"result": rows, "resultCount": len(rows)})
        if call.method == "POST" and not rest and call.action in (None, "create"):
            return Reply(_shown(await authorities.create(realm, await call.json_object())), 201)
        if call.method == "GET":
            return Reply(_shown(await authorities.get(realm, rest)))
        if call.method == "PUT" and rest:
            return await self._put(call, realm, rest)
        if call.method == "DELETE" and rest:
            row = await authorities.delete(realm, rest, call.expected_revision())
            return Reply(_shown(row))
        raise MethodNotAllowed("use GET, POST with _action=create, PUT or DELETE")

    async def _put(self, call: Call, realm: str, name: str) -> Reply:
        row, new = await self._authorities.put(
            realm,
            name,
            await call.json_object(),
            call.expected_revision(),
            must_exist=call.header("If-Match") is not None,
        )
        return Reply(_shown(row), 201 if new else 200)


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"_id": row["name"], "_rev": document.revision(row), **row}

"""Named rows of a realm over HTTP, for its administrators: list, read, create, put and delete."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from adapters.http.call import Call, Reply
from adapters.realm_rows import RealmRows
from adapters.sessions import Sessions
from broker.errors import MethodNotAllowed


class RowAdministration:
    """``resource`` is what the audit calls it, ``shown`` hides what is secret. ``_id`` is the
    name."""

    def __init__(
        self,
        sessions: Sessions,
        rows: RealmRows,
        resource: str,
        shown: Callable[[Mapping[str, Any]], Mapping[str, Any]] = dict,
    ) -> None:
        self._sessions = sessions
        self._rows = rows
        self._resource = resource
        self._hidden = shown

    async def handle(self, call: Call, realm: str, rest: str) -> Reply:
        session = await self._sessions.administrator(call.session_id, realm)
        call.attempt.requester, call.attempt.realm = session.principal, realm
        call.attempt.operation = f"{self._resource} {call.method.lower()}"
        if call.method == "GET" and not rest:
            found = [self._shown(row) for row in await self._rows.list(realm)]
            return Reply({"result": found, "resultCount": len(found)})
        if call.method == "POST" and not rest and call.action in (None, "create"):
            return Reply(self._shown(await self._rows.create(realm, await call.json_object())), 201)
        if call.method == "GET":
            return Reply(self._shown(await self._rows.get(realm, rest)))
        if call.method == "PUT" and rest:
            return await self._put(call, realm, rest)
        if call.method == "DELETE" and rest:
            gone = await self._rows.delete(realm, rest, call.expected_revision())
            return Reply(self._shown(gone))
        raise MethodNotAllowed(
            "use GET, POST with _action=create, PUT or DELETE",
            allow=["GET", "POST", "PUT", "DELETE"],
        )

    async def _put(self, call: Call, realm: str, name: str) -> Reply:
        row, new = await self._rows.put(
            realm,
            name,
            await call.json_object(),
            call.expected_revision(),
            must_exist=call.header("If-Match") is not None,
        )
        return Reply(self._shown(row), 201 if new else 200)

    def _shown(self, row: Mapping[str, Any]) -> dict[str, Any]:
        return {"_id": row["name"], "_rev": self._rows.revision(row), **self._hidden(row)}

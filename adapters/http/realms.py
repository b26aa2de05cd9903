"""``/json/realms``: realms made and removed at run time, by administrators of the root realm."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from adapters.components import Components
from adapters.http.call import Call, Reply
from adapters.realms import parent_of
from broker.errors import InvalidRequest, MethodNotAllowed, NotFound
from broker.model import ROOT_REALM
from broker.policy import shown


class RealmAdministration:
    """A realm's ``_id`` is its path in base64url, as AM has it."""

    def __init__(self, components: Components) -> None:
        self._sessions = components.sessions
        self._realms = components.realms

    async def handle(self, call: Call, rest: str) -> Reply:
        session = await self._sessions.administrator(call.session_id, ROOT_REALM)
        call.attempt.requester, call.attempt.realm = session.principal, ROOT_REALM
        call.attempt.operation = f"realms {call.method.lower()}"
        if call.method == "GET" and not rest:
            items = [_shown(path) for path in self._realms.paths]
            return Reply({"result": items, "resultCount": len(items)})
        if call.method == "POST" and not rest and call.action in (None, "create"):
            return Reply(_shown(await self._realms.create(_path(await call.json_object()))), 201)
        if call.method == "GET":
            return Reply(_shown(self._required(rest)))
        if call.method == "DELETE" and rest:
            realm = self._required(rest)
            await self._realms.delete(realm)
            return Reply(_shown(realm))
        raise MethodNotAllowed(
            "use GET, POST with _action=create, or DELETE", allow=["GET", "POST", "DELETE"]
        )

    def _required(self, name: str) -> str:
        try:
            padded = name + "=" * (-len(name) % 4)
            realm = base64.b64decode(padded, altchars=b"-_", validate=True).decode()
        except (ValueError, binascii.Error):
            realm = ""
        if not self._realms.exists(realm):
            raise NotFound(f"there is no realm with id {shown(name)}")
        return realm


def realm_key(realm: str) -> str:
    """A realm's ``_id``."""
    return base64.urlsafe_b64encode(realm.encode()).decode().rstrip("=")


def _path(body: Mapping[str, Any]) -> str:
    """``{"name", "parentPath"}`` as AM has it since version 14, or ``{"realm"}`` as before."""
    given = {key: body.get(key) for key in ("realm", "name", "parentPath") if key in body}
    if not all(isinstance(value, str) for value in given.values()):
        raise InvalidRequest("realm, name and parentPath are strings")
    if body.get("active", True) is not True:
        raise InvalidRequest("a realm is active as long as it exists; leave active out")
    if "realm" in given:
        return str(given["realm"])
    name = given.get("name")
    if not name or "/" in str(name):
        raise InvalidRequest("name the realm: its name, and the parentPath it is in")
    return f"{given.get('parentPath', ROOT_REALM)}/{name}"


def _shown(realm: str) -> dict[str, Any]:
    root = realm == ROOT_REALM
    return {
        "_id": realm_key(realm),
        "_rev": "0",
        "name": ROOT_REALM if root else realm.rpartition("/")[2],
        "parentPath": None if root else parent_of(realm),
        "path": realm,
        "active": True,
        "aliases": [],
    }

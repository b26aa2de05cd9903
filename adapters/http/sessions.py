"""The life of AM's sessions: ``sessions``, and ``users?_action=idFromSession``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from adapters.components import Components
from adapters.http.authenticate import AFTER_LOGIN
from adapters.http.call import Call, Reply
from broker.errors import AccessDenied, InvalidRequest, MethodNotAllowed
from broker.model import ROOT_REALM, Secret, Session

_DN_SPECIAL = re.compile(r'([,+"\\<>;=])')


class Logins:
    """A session comes in the header or cookie that carries its name, or in the request itself."""

    def __init__(self, components: Components) -> None:
        self._sessions = components.sessions

    async def sessions(self, call: Call, realm: str, rest: str) -> Reply:
        """validate, logout and getSessionInfo of the session named in path, query, body or head."""
        if call.method != "POST":
            raise MethodNotAllowed(
                "use POST with _action=validate, logout or getSessionInfo", allow=["POST"]
            )
        session_id = _session_id(call, rest, await call.json_object())
        call.attempt.operation = f"session {(call.action or '')[:32]}"
        session = await self._sessions.find(session_id)
        if session is not None:
            call.attempt.principal, call.attempt.realm = session.account, session.realm
        if call.action == "validate":
            return Reply(_validated(session))
        if call.action not in ("logout", "getSessionInfo"):
            raise InvalidRequest("use _action=validate, logout or getSessionInfo")
        if session is None:
            raise AccessDenied("the session is unknown or has ended")
        if call.action == "logout":
            await self._sessions.end(session.id)
            return Reply({"result": "Successfully logged out"})
        return Reply(_info(session))

    async def id_from_session(self, call: Call) -> Reply:
        session = await self._sessions.find(call.session_id)
        if session is None:
            raise AccessDenied("the session is unknown or has ended")
        return Reply(
            {
                "id": session.principal,
                "realm": session.realm,
                "dn": _universal_id(session),
                "successURL": AFTER_LOGIN,
                "fullLoginURL": f"/json{_realm_path(session.realm)}/authenticate",
            }
        )


def _session_id(call: Call, rest: str, body: Mapping[str, Any]) -> Secret | None:
    in_body = body.get("tokenId")
    named = rest or call.query.get("tokenId") or (in_body if isinstance(in_body, str) else None)
    return Secret(named) if named else call.session_id


def _validated(session: Session | None) -> dict[str, Any]:
    if session is None:
        return {"valid": False}
    return {
        "valid": True,
        "sessionUid": session.uid,
        "uid": session.principal,
        "realm": session.realm,
    }


def _info(session: Session) -> dict[str, Any]:
    return {
        "username": session.principal,
        "universalId": _universal_id(session),
        "realm": session.realm,
        "latestAccessTime": _iso(session.last_access_at),
        "maxIdleExpirationTime": _iso(session.idle_expires_at),
        "maxSessionExpirationTime": _iso(session.life_expires_at),
        "properties": dict(session.properties),
    }


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _universal_id(session: Session) -> str:
    """A foreign subject's is never that of the local user of the same name."""
    realm = "".join(f",o={name}" for name in reversed(session.realm.strip("/").split("/")) if name)
    name = session.principal
    if session.foreign is not None:
        name = _DN_SPECIAL.sub(r"\\\1", session.foreign)  # RFC 4514, section 2.4
    return f"id={name},ou=user{realm},ou=am-config"


def _realm_path(realm: str) -> str:
    return "" if realm == ROOT_REALM else realm

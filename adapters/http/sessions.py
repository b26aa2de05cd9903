"""AM's login, and the life of its sessions: authenticate, sessions, users?_action=idFromSession."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from adapters.components import Components
from adapters.http.call import Call, Reply
from broker.errors import AccessDenied, InvalidRequest, MethodNotAllowed
from broker.model import ROOT_REALM, Secret, Session

USERNAME_HEADER = "X-OpenAM-Username"
PASSWORD_HEADER = "X-OpenAM-Password"  # noqa: S105  # the name of a header
AFTER_LOGIN = "/"


class Logins:
    """Zero-page login; the session comes in the header or cookie that carries its name."""

    def __init__(self, components: Components) -> None:
        self._sessions = components.sessions
        self._http = components.settings.http

    async def authenticate(self, call: Call, realm: str, rest: str) -> Reply:
        if call.method != "POST" or rest:
            raise MethodNotAllowed("log in with POST")
        await call.body()
        username, password = call.header(USERNAME_HEADER), call.header(PASSWORD_HEADER)
        if username is None or password is None:
            raise AccessDenied(f"log in with the headers {USERNAME_HEADER} and {PASSWORD_HEADER}")
        call.attempt.operation = "authenticate"
        call.attempt.realm = realm
        session = await self._sessions.login(
            realm, username, Secret(password), call.attempt.address
        )
        call.attempt.principal = session.principal
        return Reply(
            {"tokenId": session.id.reveal(), "successUrl": AFTER_LOGIN, "realm": realm},
            headers={"Set-Cookie": self._cookie(session)},
        )

    async def sessions(self, call: Call, realm: str, rest: str) -> Reply:
        """validate, logout and getSessionInfo of the session named in path, query, body or head."""
        if call.method != "POST":
            raise MethodNotAllowed("use POST with _action=validate, logout or getSessionInfo")
        session_id = _session_id(call, rest, await call.json_object())
        call.attempt.operation = f"session {(call.action or '')[:32]}"
        session = await self._sessions.find(session_id)
        if session is not None:
            call.attempt.principal, call.attempt.realm = session.principal, session.realm
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

    def _cookie(self, session: Session) -> str:
        secure = "; Secure" if self._http.tls != "off" else ""
        value = quote(session.id.reveal(), safe="")
        return f"{self._http.cookie_name}={value}; Path=/; HttpOnly; SameSite=Strict{secure}"


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
        "properties": {},
    }


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _universal_id(session: Session) -> str:
    realm = "".join(f",o={name}" for name in reversed(session.realm.strip("/").split("/")) if name)
    return f"id={session.principal},ou=user{realm},ou=am-config"


def _realm_path(realm: str) -> str:
    return "" if realm == ROOT_REALM else realm

"""``/json/keys``: what ``remint keys`` does from afar."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from adapters.components import Components
from adapters.http.call import Call, Reply
from adapters.keys.private_keys import ALGORITHMS
from adapters.keys.realm_keys import RingKey
from broker.errors import InvalidRequest, MethodNotAllowed

Action = Callable[[str, Mapping[str, Any]], Awaitable[tuple[RingKey, Reply]]]


class KeyAdministration:
    """Signing keys of one realm: their names, states and times, never the keys."""

    def __init__(self, components: Components) -> None:
        self._sessions = components.sessions
        self._keys = components.keys
        self._actions: dict[str | None, Action] = {
            "generate": self._generate,
            "rotate": self._rotate,
            "import": self._import,
            "revoke": self._revoke,
        }

    async def handle(self, call: Call, realm: str, rest: str) -> Reply:
        session = await self._sessions.administrator(call.session_id, realm)
        call.attempt.requester, call.attempt.realm = session.principal, realm
        call.attempt.operation = f"keys {call.method.lower()}"
        if call.method == "GET":
            await self._keys.refresh()
        if call.method == "GET" and rest:
            return Reply(self._one(realm, rest))
        if call.method == "GET":
            keys = [key.shown() for key in self._keys.list(realm)]
            return Reply({"result": keys, "resultCount": len(keys)})
        action = self._actions.get(call.action)
        if call.method == "POST" and not rest and action is not None:
            call.attempt.operation = f"keys {call.action}"
            key, reply = await action(realm, await call.json_object())
            call.attempt.key_id = key.kid
            return reply
        raise MethodNotAllowed(
            f"use GET, or POST with _action={'|'.join(map(str, self._actions))}",
            allow=["GET", "POST"],
        )

    def _one(self, realm: str, kid: str) -> dict[str, str]:
        certificate = self._keys.certificate(realm, kid)
        key = next(key for key in self._keys.list(realm) if key.kid == kid)
        return {**key.shown(), "certificate": certificate}

    async def _generate(self, realm: str, body: Mapping[str, Any]) -> tuple[RingKey, Reply]:
        key = await self._keys.generate(realm, _algorithm(body))
        return key, Reply(key.shown(), 201)

    async def _rotate(self, realm: str, body: Mapping[str, Any]) -> tuple[RingKey, Reply]:
        key = await self._keys.rotate(realm, _algorithm(body))
        return key, Reply(key.shown())

    async def _import(self, realm: str, body: Mapping[str, Any]) -> tuple[RingKey, Reply]:
        now = body.get("now", False)
        if not isinstance(now, bool):
            raise InvalidRequest("now is true or false")
        certificate = _pem(body, "certificate") or None
        algorithm = None if body.get("algorithm") is None else _algorithm(body)
        key = await self._keys.import_pem(
            realm, _pem(body, "key"), certificate, now=now, algorithm=algorithm
        )
        return key, Reply(key.shown(), 201)

    async def _revoke(self, realm: str, body: Mapping[str, Any]) -> tuple[RingKey, Reply]:
        kid = body.get("kid")
        if not isinstance(kid, str) or not kid:
            raise InvalidRequest("name the key to revoke: its kid")
        key, active = await self._keys.revoke(realm, kid)
        return key, Reply({**key.shown(), "active": active.shown() if active else None})


def _algorithm(body: Mapping[str, Any]) -> str:
    algorithm = body.get("algorithm")
    if not isinstance(algorithm, str):
        raise InvalidRequest(f"name an algorithm: one of {', '.join(ALGORITHMS)}")
    return algorithm


def _pem(body: Mapping[str, Any], member: str) -> bytes:
    """The PEM of a member; empty where there is none. Raises InvalidRequest."""
    value = body.get(member) or ""
    if not isinstance(value, str):
        raise InvalidRequest(f"{member} is PEM text")
    return value.encode()

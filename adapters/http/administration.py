"""``/json/users``: what ``remint users`` does from afar."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from adapters.components import Components
from adapters.directories.local import MAX_PASSWORD_BYTES
from adapters.directories.users import checked_attributes, checked_hash, checked_name
from adapters.http import factors
from adapters.http.call import Call, Reply
from adapters.http.factors import FactorAdministration
from adapters.http.sessions import Logins
from broker.errors import Conflict, InvalidRequest, MethodNotAllowed, NotFound, PreconditionFailed
from broker.model import Secret, User
from broker.policy import shown


class UserAdministration:
    """Users of one realm and their second factors, for its administrators. A password hash is
    never shown."""

    def __init__(self, components: Components, logins: Logins) -> None:
        self._sessions = components.sessions
        self._users = components.users
        self._passwords = components.passwords
        self._logins = logins
        self._factors = FactorAdministration(components)

    async def handle(self, call: Call, realm: str, rest: str) -> Reply:
        if call.method == "POST" and call.action == "idFromSession":
            await call.body()
            return await self._logins.id_from_session(call)
        session = await self._sessions.administrator(call.session_id, realm)
        call.attempt.requester, call.attempt.realm = session.principal, realm
        call.attempt.operation = f"users {call.method.lower()}"
        if call.method == "GET" and not rest and call.query.get("_queryId") == factors.QUERY:
            return await self._factors.listed(realm)
        place = factors.place(rest)
        if place is not None:
            return await self._factors.handle(call, realm, place)
        if call.method == "GET" and not rest:
            users = await self._users.list(realm)
            return Reply({"result": [_shown(user) for user in users], "resultCount": len(users)})
        if call.method == "POST" and not rest and call.action in (None, "create"):
            return await self._create(call, realm)
        if call.method == "GET":
            return Reply(_shown(await self._required(realm, rest)))
        if call.method == "PUT" and rest:
            return await self._put(call, realm, checked_name(rest))
        if call.method == "DELETE" and rest:
            user = await self._required(realm, rest)
            await self._factors.forget(realm, rest)
            await self._users.delete(realm, rest)
            return Reply(_shown(user))
        raise MethodNotAllowed(
            "use GET, POST with _action=create, PUT or DELETE",
            allow=["GET", "POST", "PUT", "DELETE"],
        )

    async def _create(self, call: Call, realm: str) -> Reply:
        body = await call.json_object()
        user = await self._filled(_blank(realm, checked_name(body.get("username"))), body)
        if not await self._users.create(user):
            raise Conflict(f"there is a user {shown(user.name)} already")
        return Reply(_shown(user), 201)

    async def _put(self, call: Call, realm: str, name: str) -> Reply:
        body = await call.json_object()
        old = await self._users.get(realm, name)
        if old is None and call.header("If-Match") is not None:
            raise PreconditionFailed(f"there is no user {shown(name)}")
        user = await self._filled(old or _blank(realm, name), body)
        await self._users.put(user)
        return Reply(_shown(user), 200 if old else 201)

    async def _filled(self, user: User, body: Mapping[str, Any]) -> User:
        """The user with what the body says of it. Raises InvalidRequest."""
        password_hash = await self._password_hash(body) or user.password_hash
        if not password_hash:
            raise InvalidRequest("a new user needs a password")
        attributes, active = body.get("attributes"), body.get("active", user.active)
        if not isinstance(active, bool):
            raise InvalidRequest("active is true or false")
        return replace(
            user,
            password_hash=password_hash,
            attributes=user.attributes if attributes is None else checked_attributes(attributes),
            active=active,
        )

    async def _password_hash(self, body: Mapping[str, Any]) -> Secret | None:
        if body.get("password_hash") is not None:
            return checked_hash(body["password_hash"])
        password = body.get("password")
        if password is None:
            return None
        if not isinstance(password, str) or not 0 < len(password.encode()) <= MAX_PASSWORD_BYTES:
            raise InvalidRequest(f"a password is a string of 1 to {MAX_PASSWORD_BYTES} bytes")
        return await self._passwords.hashed(Secret(password))

    async def _required(self, realm: str, name: str) -> User:
        user = await self._users.get(realm, name)
        if user is None:
            raise NotFound(f"there is no user {shown(name)}")
        return user


def _blank(realm: str, name: str) -> User:
    return User(name, realm, Secret(""))


def _shown(user: User) -> dict[str, Any]:
    return {
        "_id": user.name,
        "username": user.name,
        "realm": user.realm,
        "active": user.active,
        "attributes": {name: list(values) for name, values in user.attributes.items()},
    }

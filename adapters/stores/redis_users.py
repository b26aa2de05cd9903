"""Local users in Redis: one hash for each realm, each user sealed in a field of it."""

from __future__ import annotations

import orjson

from adapters.keys.root_secret import Sealer
from adapters.stores.redis_commands import Commands
from adapters.stores.redis_keys import USERS, key, tag
from adapters.stores.sealing import opened, plain
from broker.model import Secret, User


class RedisUsers:
    """UserStore."""

    def __init__(self, commands: Commands, sealer: Sealer) -> None:
        self._commands = commands
        self._sealer = sealer

    async def get(self, realm: str, name: str) -> User | None:
        sealed = await self._commands.call("HGET", _users(realm), _field(name))
        return None if sealed is None else self._user(realm, _field(name), sealed)

    async def put(self, user: User) -> None:
        await self._write("HSET", user)

    async def create(self, user: User) -> bool:
        return bool(await self._write("HSETNX", user))

    async def delete(self, realm: str, name: str) -> bool:
        return bool(await self._commands.call("HDEL", _users(realm), _field(name)))

    async def list(self, realm: str) -> list[User]:
        flat = await self._commands.call("HGETALL", _users(realm))
        pairs = flat.items() if isinstance(flat, dict) else zip(flat[::2], flat[1::2], strict=True)
        users = [self._user(realm, field.decode(), sealed) for field, sealed in pairs]
        return sorted(users, key=lambda user: user.name)

    async def _write(self, command: str, user: User) -> int:
        field = _field(user.name)
        attributes = {name: list(values) for name, values in user.attributes.items()}
        told = [user.name, user.password_hash.reveal(), attributes, user.active]
        sealed = self._sealer.seal(plain(told), _context(user.realm, field))
        written: int = await self._commands.call(command, _users(user.realm), field, sealed)
        return written

    def _user(self, realm: str, field: str, sealed: bytes) -> User:
        told = orjson.loads(opened(self._sealer, sealed, _context(realm, field)))
        name, password_hash, attributes, active = told
        return User(
            name=name,
            realm=realm,
            password_hash=Secret(password_hash),
            attributes={key: tuple(values) for key, values in attributes.items()},
            active=active,
        )


def _users(realm: str) -> str:
    return key(tag("realm", realm), USERS)


def _field(name: str) -> str:
    return tag("user", name)


def _context(realm: str, field: str) -> bytes:
    return plain(["user", realm, field])

"""Local users: a password hash (argon2id, PHC string) and profile attributes as JSON."""

from __future__ import annotations

import sqlite3

import orjson

from adapters.stores.sqlite_connection import Database, Row
from broker.model import Secret, User

_GET = (
    "SELECT realm, name, password_hash, attributes, active FROM users WHERE realm = ? AND name = ?"
)
_LIST = (
    "SELECT realm, name, password_hash, attributes, active FROM users WHERE realm = ? ORDER BY name"
)
_CREATE = (
    "INSERT INTO users (realm, name, password_hash, attributes, active) VALUES (?, ?, ?, ?, ?) "
    "ON CONFLICT DO NOTHING"
)
_PUT = (
    "INSERT OR REPLACE INTO users (realm, name, password_hash, attributes, active) "
    "VALUES (?, ?, ?, ?, ?)"
)
_DELETE = "DELETE FROM users WHERE realm = ? AND name = ?"


class SqliteUsers:
    """UserStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, realm: str, name: str) -> User | None:
        row = self._database.row(_GET, (realm, name))
        return None if row is None else _user(row)

    async def put(self, user: User) -> None:
        await self._changed(_PUT, _values(user))

    async def create(self, user: User) -> bool:
        return await self._changed(_CREATE, _values(user))

    async def delete(self, realm: str, name: str) -> bool:
        return await self._changed(_DELETE, (realm, name))

    async def list(self, realm: str) -> list[User]:
        return [_user(row) for row in await self._database.rows(_LIST, (realm,))]

    async def _changed(self, sql: str, values: tuple[object, ...]) -> bool:
        def work(connection: sqlite3.Connection) -> bool:
            return connection.execute(sql, values).rowcount > 0

        return await self._database.write(work)


def _values(user: User) -> tuple[object, ...]:
    attributes = orjson.dumps({name: list(values) for name, values in user.attributes.items()})
    return user.realm, user.name, user.password_hash.reveal(), attributes.decode(), user.active


def _user(row: Row) -> User:
    realm, name, password_hash, attributes, active = row
    return User(
        name=name,
        realm=realm,
        password_hash=Secret(password_hash),
        attributes={key: tuple(values) for key, values in orjson.loads(attributes).items()},
        active=bool(active),
    )

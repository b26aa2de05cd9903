"""Copying what the ports of the stores can list: tokens, users, instances and configuration.

Nothing here knows what a store is made of. A record comes to stand wherever the target puts the
record of a request without an id, with all its index entries.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence

from adapters.stores import Stores
from adapters.stores.copy_parts import CHUNK, Item, chunked, content
from broker.model import Answer, Claim, InstanceDocument, TokenRecord, User
from broker.ports import (
    ConfigurationStore,
    InstanceStore,
    RequestLedger,
    TokenQuery,
    TokenStore,
    UserStore,
)

_NO_ANSWER = Answer(200, {})


class Tokens:
    """Records of tokens, as a source and as a target."""

    def __init__(self, stores: Stores, total: int | None = None) -> None:
        self._tokens: TokenStore = stores.tokens
        self._ledger: RequestLedger = stores.ledger
        self._total = total

    async def count(self) -> int | None:
        return self._total

    async def chunks(self) -> AsyncIterator[list[Item[TokenRecord]]]:
        async for records in self._pages():
            yield [Item(record.alias, _told(record), record) for record in records]

    async def found(self, items: Sequence[Item[TokenRecord]]) -> list[bytes | None]:
        records = await asyncio.gather(*(self._tokens.get(item.thing.alias) for item in items))
        return [None if record is None else _told(record) for record in records]

    async def write(self, items: Sequence[Item[TokenRecord]]) -> None:
        await asyncio.gather(
            *(
                self._ledger.commit(_unstored(item.thing), item.thing, _NO_ANSWER, 0.0)
                for item in items
            )
        )

    async def all_keys(self) -> AsyncIterator[list[str]]:
        async for records in self._pages():
            yield [record.alias for record in records]

    async def remove(self, keys: Sequence[str]) -> None:
        await asyncio.gather(*(self._tokens.cancel(alias) for alias in keys))

    async def _pages(self) -> AsyncIterator[list[TokenRecord]]:
        after = None
        while True:
            records = await self._tokens.query(TokenQuery(after=after, limit=CHUNK))
            if records:
                yield records
                after = records[-1].alias
            if len(records) < CHUNK:
                return


def _told(record: TokenRecord) -> bytes:
    return content(
        [
            record.token_id,
            record.alias,
            record.digest.hex(),
            record.type,
            record.instance,
            record.realm,
            record.principal,
            record.issued_at,
            record.expires_at,
            record.key_id,
            record.parent,
            *([] if record.kept is None else [record.kept.hex()]),
        ]
    )


def _unstored(record: TokenRecord) -> Claim:
    """What the ledger takes a record with that belongs to no request it knows."""
    return Claim(
        token_id=record.token_id,
        issued_at=record.issued_at,
        expires_at=record.expires_at,
        key_id=record.key_id,
        entropy=b"",
    )


class Users:
    """Users of the given realms."""

    def __init__(self, users: UserStore, realms: Collection[str]) -> None:
        self._users = users
        self._realms = sorted(realms)

    async def count(self) -> int | None:
        return None

    async def chunks(self) -> AsyncIterator[list[Item[User]]]:
        for realm in self._realms:
            users = await self._users.list(realm)
            for chunk in chunked([Item(_name(user), _person(user), user) for user in users]):
                yield list(chunk)

    async def found(self, items: Sequence[Item[User]]) -> list[bytes | None]:
        users = await asyncio.gather(
            *(self._users.get(item.thing.realm, item.thing.name) for item in items)
        )
        return [None if user is None else _person(user) for user in users]

    async def write(self, items: Sequence[Item[User]]) -> None:
        await asyncio.gather(*(self._users.put(item.thing) for item in items))

    async def all_keys(self) -> AsyncIterator[list[tuple[str, str]]]:
        for realm in self._realms:
            yield [_name(user) for user in await self._users.list(realm)]

    async def remove(self, keys: Sequence[tuple[str, str]]) -> None:
        await asyncio.gather(*(self._users.delete(realm, name) for realm, name in keys))


def _name(user: User) -> tuple[str, str]:
    return user.realm, user.name


def _person(user: User) -> bytes:
    attributes = {name: list(values) for name, values in user.attributes.items()}
    return content([user.realm, user.name, user.password_hash.reveal(), attributes, user.active])


class Instances:
    """Published instances, each with the revision it has."""

    def __init__(self, instances: InstanceStore) -> None:
        self._instances = instances

    async def count(self) -> int | None:
        return None

    async def chunks(self) -> AsyncIterator[list[Item[InstanceDocument]]]:
        documents = await self._instances.list()
        for chunk in chunked([Item(each.id, _document(each), each) for each in documents]):
            yield list(chunk)

    async def found(self, items: Sequence[Item[InstanceDocument]]) -> list[bytes | None]:
        documents = await asyncio.gather(*(self._instances.get(item.thing.id) for item in items))
        return [None if document is None else _document(document) for document in documents]

    async def write(self, items: Sequence[Item[InstanceDocument]]) -> None:
        await asyncio.gather(*(self._instances.create(item.thing) for item in items))

    async def all_keys(self) -> AsyncIterator[list[str]]:
        yield [document.id for document in await self._instances.list()]

    async def remove(self, keys: Sequence[str]) -> None:
        await asyncio.gather(*(self._instances.delete(name, None) for name in keys))


def _document(document: InstanceDocument) -> bytes:
    return content(
        [
            document.id,
            document.realm,
            document.revision,
            document.format,
            document.body,
        ]
    )


class Configuration:
    """Documents that brokers share, signing keys and realms among them."""

    def __init__(self, configuration: ConfigurationStore) -> None:
        self._configuration = configuration

    async def count(self) -> int | None:
        return None

    async def chunks(self) -> AsyncIterator[list[Item[bytes]]]:
        documents = await self._configuration.list()
        items = [Item(name, value, value) for name, value in documents.items()]
        for chunk in chunked(items):
            yield list(chunk)

    async def found(self, items: Sequence[Item[bytes]]) -> list[bytes | None]:
        return list(
            await asyncio.gather(*(self._configuration.get(str(item.key)) for item in items))
        )

    async def write(self, items: Sequence[Item[bytes]]) -> None:
        await asyncio.gather(
            *(self._configuration.swap(str(item.key), None, item.thing) for item in items)
        )

    async def all_keys(self) -> AsyncIterator[list[str]]:
        yield list(await self._configuration.list())

    async def remove(self, keys: Sequence[str]) -> None:
        for name in keys:
            await self._configuration.swap(name, await self._configuration.get(name), None)

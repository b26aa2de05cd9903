"""Documents of published instances in Redis, sealed because they hold client secrets."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import orjson

from adapters.keys.root_secret import Sealer
from adapters.stores.redis_commands import Commands
from adapters.stores.redis_keys import (
    DOCUMENTS,
    GENERATION,
    INSTANCES_CHANNEL,
    INSTANCES_TAG,
    tag,
)
from adapters.stores.redis_outbox import RedisOutbox, called, sent
from adapters.stores.sealing import opened, plain
from broker.errors import AlreadyPublished, PreconditionFailed, Unavailable, UnknownInstance
from broker.model import Announcement, InstanceDocument

REFRESH_SECONDS = 1.0
"""How old the known generation may be, even if no message came."""


class RedisInstances:
    """InstanceStore."""

    def __init__(self, commands: Commands, sealer: Sealer, outbox: RedisOutbox) -> None:
        """Must be called on the event loop it will serve."""
        self._commands = commands
        self._sealer = sealer
        self._outbox = outbox
        self._loop = asyncio.get_running_loop()
        self._generation = 0
        self._fresh_until = 0.0
        self._news = 0
        self._refreshing: asyncio.Task[None] | None = None

    async def generation(self) -> int:
        """What is known, for at most a second; asked of Redis when a message said so."""
        while self._loop.time() >= self._fresh_until:
            if self._refreshing is None or self._refreshing.done():
                self._refreshing = self._loop.create_task(self._refresh())
                self._refreshing.add_done_callback(_heard)
            # many requests wait for one answer, and one that is cancelled takes it from nobody
            await asyncio.shield(self._refreshing)
        return self._generation

    def stale(self) -> None:
        """Something may have changed: ask at the next opportunity."""
        self._news += 1
        self._fresh_until = 0.0

    async def create(
        self, document: InstanceDocument, announcement: Announcement | None = None
    ) -> None:
        words = (_field(document.id), self._written(document))
        status = await self._change("create_instance", words, announcement)
        if status != b"done":
            raise AlreadyPublished("an instance is published under that name")

    async def replace(
        self,
        document: InstanceDocument,
        expected: str | None,
        announcement: Announcement | None = None,
    ) -> None:
        words = (
            *(_field(document.id), self._written(document)),
            *(_id(document.id), _revision(expected)),
        )
        status = await self._change("replace_instance", words, announcement)
        if status == b"unknown":
            raise UnknownInstance("no instance is published under that name")
        _same_revision(status)

    async def get(self, instance: str) -> InstanceDocument | None:
        value = await self._commands.call("HGET", DOCUMENTS, _field(instance))
        document = None if value is None else self._read(_field(instance), value)
        return document if document is not None and document.id == instance else None

    async def list(self) -> list[InstanceDocument]:
        flat = await self._commands.call("HGETALL", DOCUMENTS)
        pairs = flat.items() if isinstance(flat, dict) else zip(flat[::2], flat[1::2], strict=True)
        documents = [self._read(field.decode(), value) for field, value in pairs]
        return sorted(documents, key=lambda document: document.id)

    async def delete(
        self, instance: str, expected: str | None, announcement: Announcement | None = None
    ) -> bool:
        words = (_field(instance), _id(instance), _revision(expected))
        status = await self._change("delete_instance", words, announcement, "expect_end")
        if status == b"unknown":
            return False
        _same_revision(status)
        return True

    async def _change(
        self,
        name: str,
        words: Sequence[Any],
        announcement: Announcement | None,
        expect: str = "expect",
    ) -> bytes:
        return await self.changed(name, DOCUMENTS, words, announcement, expect)

    async def changed(
        self,
        name: str,
        documents: str,
        words: Sequence[Any],
        announcement: Announcement | None,
        expect: str = "expect",
    ) -> bytes:
        """The word of a function that moves the generation when it does something, and says
        ``done`` then; its generation is known from here on."""
        letter = first = None
        if announcement is not None:
            letter = self._outbox.letter(announcement, INSTANCES_TAG)
            first = letter.expected(expect)
        words = (INSTANCES_CHANNEL, *words)
        change = called(name, (documents, GENERATION), words, letter)
        try:
            status, generation = await sent(self._commands, [first] if first else [], change)
        except BaseException:
            self.stale()  # it may have happened
            raise
        if status == b"done":
            self.stale()
            self._generation = max(self._generation, generation)
        return bytes(status)

    async def _refresh(self) -> None:
        news = self._news
        asked_at = self._loop.time()
        value = await self._commands.call("GET", GENERATION)
        self._generation = int(value or 0)
        if news == self._news:  # else something happened after the question
            self._fresh_until = asked_at + REFRESH_SECONDS

    def _written(self, document: InstanceDocument) -> bytes:
        told = [document.id, document.realm, document.revision, document.format, document.body]
        sealed = self._sealer.seal(plain(told), _context(_field(document.id)))
        return f"{_id(document.id)} {_revision(document.revision)} ".encode() + sealed

    def _read(self, field: str, value: bytes) -> InstanceDocument:
        try:
            _, _, sealed = value.split(b" ", 2)
        except ValueError:
            raise Unavailable(
                "the store cannot be read", detail="redis: a broken instance"
            ) from None
        told = orjson.loads(opened(self._sealer, sealed, _context(field)))
        return InstanceDocument(*told)


def _heard(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        task.exception()  # those who wait heard of it; nobody may be waiting


def _field(instance: str) -> str:
    """Names are told apart without regard to letter case."""
    return tag("instance", instance.casefold())


def _id(instance: str) -> str:
    return tag("instance id", instance)


def _revision(revision: str | None) -> str:
    return "" if revision is None else tag("revision", revision)


def _same_revision(status: bytes) -> None:
    if status != b"done":
        raise PreconditionFailed("the instance has changed since; read it again")


def _context(field: str) -> bytes:
    return plain(["instance", field])

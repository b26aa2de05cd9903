"""A directory of the tests' own making, written message by message: honest unless told not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from adapters.authentication.modules.ldap import ber, protocol
from broker.authentication import AuthModule
from broker.errors import Unavailable
from tests.authentication.ldap.logins import login as login_at
from tests.authentication.ldap.servers import serving
from tests.support import authentication

BASE = "ou=people,dc=example"
SERVICE, SERVICE_PASSWORD = "cn=remint,dc=example", "password of the broker"
PASSWORD = "a right password"


@dataclass(frozen=True)
class Asked:
    """One request, as it came on which connection."""

    connection: int
    number: int
    tag: int
    operation: bytes

    @property
    def bound(self) -> tuple[str, str]:
        """Name and password of a bind."""
        reader = ber.Reader(self.operation)
        reader.whole()
        return reader.next(ber.OCTETS).decode(), reader.next(0x80).decode()

    def answer(self, *contents: bytes) -> bytes:
        """Messages to this request."""
        return b"".join(protocol.message(self.number, each) for each in contents)


def ended(tag: int, code: int = 0) -> bytes:
    """A result."""
    return ber.element(
        tag, ber.integer(code, ber.ENUMERATED), ber.octets(""), ber.octets("what it says")
    )


def entry(dn: str | bytes, **values: Sequence[str | bytes]) -> bytes:
    """An entry with these attributes."""
    told = [
        ber.element(ber.SEQUENCE, ber.octets(name), ber.element(ber.SET, *map(ber.octets, listed)))
        for name, listed in values.items()
    ]
    return ber.element(protocol.ENTRY, ber.octets(dn), ber.element(ber.SEQUENCE, *told))


def honest(asked: Asked) -> bytes:
    """What a directory says in which each login has an entry, and all the same password."""
    if asked.tag == protocol.BIND:
        right = asked.bound[1] == (SERVICE_PASSWORD if asked.bound[0] == SERVICE else PASSWORD)
        return asked.answer(ended(protocol.BOUND, 0 if right else 49))
    if asked.tag == protocol.SEARCH:
        name = login(asked)
        found = entry(f"uid={name},{BASE}", uid=[name], cn=[name.title()])
        return asked.answer(found, ended(protocol.DONE))
    return b""


def login(asked: Asked) -> str:
    """Whom a search looks for: the value of its comparison."""
    if asked.tag != protocol.SEARCH:
        return ""
    reader = ber.Reader(asked.operation)
    for _ in range(6):
        reader.any()
    tag, comparison = reader.any()
    if tag != 0xA3:
        return "root"
    return ber.Reader(comparison[2 + comparison[1] :]).next(ber.OCTETS).decode()


@dataclass
class Hostile:
    """``says`` makes the bytes that a request is answered with; ``asked`` are all that came."""

    says: Callable[[Asked], bytes] = honest
    asked: list[Asked] = field(default_factory=list)
    url: str = ""
    connections: int = 0

    def binds(self) -> list[tuple[str, str]]:
        """Who was bound, but for the broker itself."""
        found = [each.bound for each in self.asked if each.tag == protocol.BIND]
        return [each for each in found if each[0] != SERVICE]

    async def speak(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        connection, buffer = self.connections, bytearray()
        while data := await reader.read(4096):
            buffer += data
            while (head := ber.head(buffer)) is not None and head[2] <= len(buffer):
                number, tag, operation, _ = protocol.opened(bytes(buffer[head[1] : head[2]]))
                del buffer[: head[2]]
                self.asked.append(Asked(connection, number, tag, operation))
                writer.write(self.says(self.asked[-1]))

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Hostile]:
        async with serving(self.speak) as url:
            self.url = url
            yield self


@asynccontextmanager
async def asking(folder: Path, hostile: Hostile, **keys: Any) -> AsyncIterator[AuthModule]:
    """A module whose directory that is, closed afterwards."""
    document = {
        "name": "corp",
        "kind": "ldap",
        "servers": [hostile.url],
        "bind_dn": SERVICE,
        "bind_password": SERVICE_PASSWORD,
        "search_bases": [BASE],
        "attributes": ["cn"],
        "timeout": 30,
        **keys,
    }
    made = authentication.module(document, authentication.parts(folder))
    try:
        yield made
    finally:
        await made.close()


async def down(module: AuthModule, name: str = "ada", password: str = PASSWORD) -> str:
    """Why nobody could be asked."""
    with pytest.raises(Unavailable) as failed:
        await login_at(module, name, password)
    return failed.value.detail or ""

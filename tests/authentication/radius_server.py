"""A RADIUS server of the tests' own making, written from RFC 2865 and 2869: honest if told so."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

from tests.support.freeradius import SECRET

ACCEPT, REJECT, CHALLENGE = 2, 3, 11
USER_NAME, USER_PASSWORD, REPLY_MESSAGE, STATE, PROXY_STATE = 1, 2, 18, 24, 33
MESSAGE_AUTHENTICATOR = 80
KEY = SECRET.encode()

Attributes = Iterable[tuple[int, bytes]]


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    data: bytes

    @property
    def id(self) -> int:
        return self.data[1]

    @property
    def authenticator(self) -> bytes:
        return self.data[4:20]

    @property
    def attributes(self) -> list[tuple[int, bytes]]:
        found, rest = [], self.data[20:]
        while rest:
            found.append((rest[0], rest[2 : rest[1]]))
            rest = rest[rest[1] :]
        return found

    def password(self) -> bytes:
        """In the clear (RFC 2865, section 5.2)."""
        hidden, last, clear = dict(self.attributes)[USER_PASSWORD], self.authenticator, b""
        while hidden:
            pad = hashlib.md5(KEY + last, usedforsecurity=False).digest()
            clear += bytes(a ^ b for a, b in zip(pad, hidden[:16], strict=True))
            last, hidden = hidden[:16], hidden[16:]
        return clear.rstrip(b"\0")

    def signed(self) -> bool:
        """Whether its Message-Authenticator is right (RFC 2869, section 5.14)."""
        first, value = self.attributes[0]
        blank = self.data[:22] + bytes(16) + self.data[38:]
        return first == MESSAGE_AUTHENTICATOR and value == hmac.digest(KEY, blank, "md5")


def answer(
    asked: Asked,
    code: int = ACCEPT,
    attributes: Attributes = (),
    *,
    secret: bytes = KEY,
    signed: bool = True,
    id: int | None = None,
    signature: bytes | None = None,
    doubled: bool = False,
) -> bytes:
    """A reply; each argument beside the first three makes it a worse one."""
    body = b"".join(bytes((key, len(value) + 2)) + value for key, value in attributes)
    blank = bytes((MESSAGE_AUTHENTICATOR, 18)) + bytes(16)
    at = len(body)
    body += blank * (2 if doubled else int(signed))
    head = bytes((code, asked.id if id is None else id)) + (20 + len(body)).to_bytes(2, "big")
    if signed:
        right = hmac.digest(secret, head + asked.authenticator + body, "md5")
        body = body[: at + 2] + (signature or right) + body[at + 18 :]
    whole = hashlib.md5(head + asked.authenticator + body + secret, usedforsecurity=False)
    return head + whole.digest() + body


@dataclass
class Server(asyncio.DatagramProtocol):
    """Answers each datagram with those that ``says`` makes of it; ``asked`` are all that came."""

    says: Callable[[Asked], list[bytes]]
    asked: list[Asked] = field(default_factory=list)
    port: int = 0
    beside: asyncio.DatagramTransport | None = None
    """Another socket: what it sends does not come from the server's port."""
    clients: list[tuple[str, int]] = field(default_factory=list)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.asked.append(Asked(data))
        self.clients.append(addr)
        for each in self.says(self.asked[-1]):
            (self.beside or self.transport).sendto(each, addr)


@asynccontextmanager
async def serving(says: Callable[[Asked], list[bytes]]) -> AsyncIterator[Server]:
    """A server on a free port of loopback."""
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(
        lambda: Server(says), local_addr=("127.0.0.1", 0)
    )
    try:
        yield server
    finally:
        transport.close()

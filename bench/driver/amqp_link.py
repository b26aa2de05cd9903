"""One AMQP 0-9-1 connection with one channel, on a raw asyncio protocol.

Client libraries take about 200 µs for a message and its answer, which is more than a server may
take for them. Here the frames of a request are a few joins of bytes that are made beforehand.
"""

from __future__ import annotations

import asyncio
import ssl
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from pamqp import commands, decode, frame
from pamqp.base import Frame
from pamqp.common import FieldTable

from bench.driver.sender import CONNECTION, Failed

CONNECT_SECONDS = 10.0
CALL_SECONDS = 10.0
CHANNEL = 1
MOST_BYTES = 131_072
"""Of a frame, unless the server wants less."""
HELLO = b"AMQP\x00\x00\x09\x01"

_HEAD = struct.Struct(">BHI")
_METHOD, _HEADER, _BODY = 1, 2, 3
_AROUND = 8
"""Bytes of a frame beside its payload."""
_DELIVER, _RETURN = (60 << 16) + 60, (60 << 16) + 50
_ACK, _NACK = (60 << 16) + 80, (60 << 16) + 120
_CONFIRM = struct.Struct(">QB")
_NAME = struct.Struct(">I")
_CONTENT = struct.Struct(">HHQH")
_SIZE = struct.Struct(">4xQ")
_END = b"\xce"

CAPABILITIES: FieldTable = {
    "authentication_failure_close": True,
    "consumer_cancel_notify": True,
    "publisher_confirms": True,
}
PROPERTIES: FieldTable = {"product": "remint-bench", "capabilities": CAPABILITIES}

CONTENT_TYPE, CONTENT_ENCODING, HEADERS = 1 << 15, 1 << 14, 1 << 13
DELIVERY_MODE, PRIORITY, CORRELATION_ID = 1 << 12, 1 << 11, 1 << 10
REPLY_TO, MESSAGE_ID, TYPE, USER_ID = 1 << 9, 1 << 7, 1 << 5, 1 << 4
"""Which properties follow: AMQP 0-9-1, section 4.2.6.1."""


@dataclass(frozen=True, slots=True)
class Heard:
    """Whom a link tells what came."""

    message: Callable[[bytes, object, bytes], None]
    """Correlation id, header ``status``, body."""
    returned: Callable[[bytes], None]
    """The correlation id of a request that no queue took."""
    refused: Callable[[int], None]
    """The number of a request that the server did not confirm."""
    lost: Callable[[Failed], None]


class AmqpLink(asyncio.Protocol):
    """Made by :func:`linked`; it is never connected anew."""

    def __init__(self, heard: Heard) -> None:
        self._heard = heard
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._methods: asyncio.Queue[Frame | Failed] = asyncio.Queue()
        self._kind = self._missing = 0
        self._properties = b""
        self._parts: list[bytes] = []
        self._unconfirmed: dict[int, int] = {}
        self._tag = 0
        self._largest = MOST_BYTES - _AROUND

    @property
    def usable(self) -> bool:
        """Whether a request can be written to it."""
        return self._transport is not None

    def publish(self, number: int, method: bytes, flags: int, head: bytes, body: bytes) -> None:
        """A request under its number: its method frame, its properties as bytes, its body."""
        if self._transport is None:
            return  # its loss was told to whoever waits
        self._tag += 1
        self._unconfirmed[self._tag] = number
        content = _CONTENT.pack(60, 0, len(body), flags) + head
        pieces = [method, _HEAD.pack(_HEADER, CHANNEL, len(content)), content, _END]
        for start in range(0, len(body), self._largest):
            part = body[start : start + self._largest]
            pieces += (_HEAD.pack(_BODY, CHANNEL, len(part)), part, _END)
        self._transport.write(b"".join(pieces))

    async def call(self, method: Frame, channel: int = CHANNEL) -> Any:
        """The server's answer to a method; raises Failed."""
        self.send(method, channel)
        return await self.next()

    def send(self, method: Frame, channel: int = CHANNEL) -> None:
        if self._transport is not None:
            self._transport.write(frame.marshal(method, channel))

    async def next(self) -> Any:
        """The next method of the server's that answers one of ours; raises Failed."""
        if self._transport is None and self._methods.empty():
            raise Failed(CONNECTION, "closed")
        try:
            async with asyncio.timeout(CALL_SECONDS):
                found = await self._methods.get()
        except TimeoutError:
            raise Failed(CONNECTION, "the message server did not answer in time") from None
        if isinstance(found, Failed):
            raise found
        return found

    def tuned(self, most: int) -> int:
        """The largest frame that both sides take."""
        most = min(most or MOST_BYTES, MOST_BYTES)
        self._largest = most - _AROUND
        return most

    def drop(self) -> None:
        """Close at once, and say nothing."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()

    # -- what asyncio calls --------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(HELLO)

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost(str(exc or "the message server closed the connection"))

    def data_received(self, data: bytes) -> None:
        data = self._buffer + data if self._buffer else data
        at, end = 0, len(data)
        while end - at >= _HEAD.size:
            kind, _, size = _HEAD.unpack_from(data, at)
            after = at + size + _AROUND
            if kind > _AROUND:
                self._lost("the message server does not speak AMQP 0-9-1")
                return
            if after > end:
                break
            self._framed(kind, data[at:after])
            at = after
        self._buffer = data[at:]

    # -- what frames say -----------------------------------------------------------------------

    def _framed(self, kind: int, whole: bytes) -> None:
        if kind == _METHOD:
            self._method(whole)
        elif kind == _HEADER:
            self._missing = _SIZE.unpack_from(whole, _HEAD.size)[0]
            self._properties, self._parts = whole[_HEAD.size + 12 : -1], []
            self._whole_message()
        elif kind == _BODY:
            self._parts.append(whole[_HEAD.size : -1])
            self._missing -= len(whole) - _AROUND
            self._whole_message()

    def _method(self, whole: bytes) -> None:
        name = _NAME.unpack_from(whole, _HEAD.size)[0]
        if name in (_DELIVER, _RETURN):
            self._kind = name
        elif name in (_ACK, _NACK):
            tag, bits = _CONFIRM.unpack_from(whole, _HEAD.size + 4)
            self._confirmed(tag, several=bool(bits & 1), good=name == _ACK)
        else:
            _, _, method = frame.unmarshal(whole)
            if isinstance(method, commands.Connection.Close | commands.Channel.Close):
                self._lost(str(method.reply_text))
            elif isinstance(method, commands.Basic.Cancel):
                self._lost("the message server took the queue for answers away")
            else:
                self._methods.put_nowait(cast(Frame, method))

    def _confirmed(self, tag: int, *, several: bool, good: bool) -> None:
        if several:
            tags = []
            for one in self._unconfirmed:
                if one > tag:
                    break
                tags.append(one)
        else:
            tags = [tag]
        for one in tags:
            number = self._unconfirmed.pop(one, None)
            if number is not None and not good:
                self._heard.refused(number)

    def _whole_message(self) -> None:
        if self._missing > 0:
            return
        body = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        try:
            id, status = properties(self._properties)
        except (ValueError, IndexError, struct.error):
            id, status = b"", None
        if self._kind == _RETURN:
            self._heard.returned(id)
        else:
            self._heard.message(id, status, body)

    def _lost(self, why: str) -> None:
        transport, self._transport = self._transport, None
        if transport is None:
            return
        failed = Failed(CONNECTION, why)
        transport.abort()
        self._methods.put_nowait(failed)
        self._heard.lost(failed)


def properties(given: bytes) -> tuple[bytes, object]:
    """Correlation id and header ``status`` out of the properties of a message.

    ``given`` begins with their flags. Raises ValueError, IndexError, struct.error.
    """
    flags, at = int.from_bytes(given[:2]), 2
    for flag in (CONTENT_TYPE, CONTENT_ENCODING):
        if flags & flag:
            at += 1 + given[at]
    status: object = None
    if flags & HEADERS:
        size, table = decode.field_table(given[at:])
        status = table.get("status")
        at += size
    for flag in (DELIVERY_MODE, PRIORITY):
        at += bool(flags & flag)
    if not flags & CORRELATION_ID:
        return b"", status
    return given[at + 1 : at + 1 + given[at]], status


async def linked(
    heard: Heard,
    *,
    host: str,
    port: int,
    tls: ssl.SSLContext | None,
    login: tuple[str, str],
    virtual_host: str,
) -> AmqpLink:
    """A connection with an open channel that confirms; raises Failed."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            _, link = await loop.create_connection(lambda: AmqpLink(heard), host, port, ssl=tls)
    except TimeoutError:
        raise Failed(CONNECTION, "no connection in time") from None
    except OSError as error:
        why = f"{host}:{port} cannot be reached: {error.strerror or error}"
        raise Failed(CONNECTION, why) from None
    try:
        await _introduced(link, login, virtual_host)
    except BaseException:
        link.drop()
        raise
    return link


async def _introduced(link: AmqpLink, login: tuple[str, str], virtual_host: str) -> None:
    await link.next()
    tune = await link.call(
        commands.Connection.StartOk(
            client_properties=PROPERTIES,
            mechanism="PLAIN",
            response="\0{}\0{}".format(*login),
            locale="en_US",
        ),
        0,
    )
    most = link.tuned(tune.frame_max)
    link.send(commands.Connection.TuneOk(1, most, 0), 0)
    await link.call(commands.Connection.Open(virtual_host=virtual_host or "/"), 0)
    await link.call(commands.Channel.Open())
    await link.call(commands.Confirm.Select())

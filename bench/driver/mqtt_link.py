"""One MQTT 5 connection on a raw asyncio protocol: publishes and receives at QoS 1.

Client libraries take longer for a message and its answer than a server may take for them.
"""

from __future__ import annotations

import asyncio
import ssl
import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from bench.driver.mqtt_wire import (
    CORRELATION_DATA,
    MAXIMUM_PACKET_SIZE,
    RECEIVE_MAXIMUM,
    USER_PROPERTY,
    length,
    properties,
    string,
    variable,
)
from bench.driver.sender import CONNECTION, TOO_LARGE, Failed

CONNECT_SECONDS = 10.0
MOST_UNCONFIRMED = 65_535
LARGEST_PACKET = 268_435_455 + 5
"""MQTT 5.0, section 1.5.5."""

_CONNECT, _CONNACK, _PUBLISH, _PUBACK = 0x10, 0x20, 0x30, 0x40
_SUBSCRIBE, _SUBACK, _DISCONNECT = 0x82, 0x90, 0xE0
_AT_LEAST_ONCE = 0x02
"""The bits of a PUBLISH that say QoS 1."""
_FIRST_FAILURE = 0x80
NO_SUBSCRIBER = 0x10
"""The reason code of a request that nobody was there to take: section 3.4.2.1."""
_CLEAN, _PASSWORD, _USER = 0x02, 0x40, 0x80

_SHORT = struct.Struct(">H")
_LONG = struct.Struct(">I")
REASONS = {
    0x84: "it does not speak MQTT 5",
    0x86: "bad user name or password",
    0x87: "not authorized",
    0x89: "server busy",
    0x8E: "session taken over",
    0x95: "packet too large",
    0x97: "quota exceeded",
}
"""The reason codes that a load test meets: section 2.4."""


@dataclass(frozen=True, slots=True)
class Heard:
    """Whom a link tells what came."""

    message: Callable[[bytes, object, bytes], None]
    """Correlation data, user property ``status`` as a number, body."""
    confirmed: Callable[[int, int], None]
    """The number of a request, and the reason code of its acknowledgement."""
    wanted: Callable[[int], bool]
    """Whether somebody still waits for the answer to a request."""
    refused: Callable[[int, Failed], None]
    """A request that cannot be sent."""
    lost: Callable[[Failed], None]


class MqttLink(asyncio.Protocol):
    """Made by :func:`linked`; it is never connected anew."""

    def __init__(self, heard: Heard) -> None:
        self._heard = heard
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._acknowledged: asyncio.Queue[tuple[int, bytes] | Failed] = asyncio.Queue()
        self._free: deque[int] = deque()
        self._under_way: dict[int, int] = {}
        self._waiting: deque[tuple[int, bytes, bytes]] = deque()
        self._largest = LARGEST_PACKET

    @property
    def usable(self) -> bool:
        """Whether a request can be written to it."""
        return self._transport is not None

    def publish(self, number: int, topic: bytes, rest: bytes) -> None:
        """A request under its number: its topic as a string of MQTT; properties and body.

        It waits here while the server has as many unconfirmed as it takes (Receive Maximum).
        """
        if self._free:
            self._published(number, topic, rest)
        else:
            self._waiting.append((number, topic, rest))

    def write(self, packet: bytes) -> None:
        if self._transport is not None:
            self._transport.write(packet)

    async def next(self, kind: int) -> bytes:
        """What the server says to a CONNECT or SUBSCRIBE; raises Failed."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                found = await self._acknowledged.get()
        except TimeoutError:
            raise Failed(CONNECTION, "the message server did not answer in time") from None
        if isinstance(found, Failed):
            raise found
        if found[0] != kind:
            raise Failed(CONNECTION, "the message server does not speak MQTT 5")
        return found[1]

    def limited(self, receive_maximum: int, largest: int) -> None:
        """What the server takes at once, and as one packet."""
        self._free.extend(range(1, min(receive_maximum, MOST_UNCONFIRMED) + 1))
        self._largest = largest

    def drop(self) -> None:
        """Close at once."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()

    # -- what asyncio calls --------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost(str(exc or "the message server closed the connection"))

    def data_received(self, data: bytes) -> None:
        data = self._buffer + data if self._buffer else data
        at = 0
        try:
            while at < len(data):
                size, begin = length(data, at + 1)
                if begin < 0 or begin + size > len(data):
                    break
                self._packet(data[at], data[begin : begin + size])
                at = begin + size
        except (ValueError, IndexError, struct.error):
            self._lost("the message server does not speak MQTT 5")
            return
        self._buffer = data[at:]

    # -- what packets say ----------------------------------------------------------------------

    def _packet(self, first: int, packet: bytes) -> None:
        kind = first & 0xF0
        if kind == _PUBLISH:
            self._message(first, packet)
        elif kind == _PUBACK:
            self._puback(_SHORT.unpack_from(packet)[0], packet[2] if len(packet) > 2 else 0)
        elif kind in (_CONNACK, _SUBACK):
            self._acknowledged.put_nowait((kind, packet))
        elif kind == _DISCONNECT:
            self._lost(_reason(packet[0] if packet else 0))

    def _message(self, first: int, packet: bytes) -> None:
        at = 2 + _SHORT.unpack_from(packet)[0]
        if first & _AT_LEAST_ONCE:
            self.write(b"\x40\x02" + packet[at : at + 2])
            at += 2
        size, begin = length(packet, at)
        correlation, status = b"", b""
        for name, value in properties(packet, begin, begin + size):
            if name == CORRELATION_DATA:
                correlation = value
            elif name == USER_PROPERTY and value.startswith(b"\0\x06status"):
                status = value[10:]
        number = int(status) if status.isdigit() else None
        self._heard.message(correlation, number, packet[begin + size :])

    def _puback(self, id: int, reason: int) -> None:
        number = self._under_way.pop(id, None)
        if number is None:
            return
        self._free.append(id)
        if reason:
            self._heard.confirmed(number, reason)
        while self._waiting and self._free:
            waiting = self._waiting.popleft()
            if self._heard.wanted(waiting[0]):
                self._published(*waiting)

    def _published(self, number: int, topic: bytes, rest: bytes) -> None:
        size = len(topic) + _SHORT.size + len(rest)
        if size + 5 > self._largest:
            self._heard.refused(number, Failed(TOO_LARGE, "more than the message server takes"))
            return
        id = self._free.popleft()
        self._under_way[id] = number
        head = bytes((_PUBLISH | _AT_LEAST_ONCE,)) + variable(size)
        self.write(b"".join((head, topic, _SHORT.pack(id), rest)))

    def _lost(self, why: str) -> None:
        transport, self._transport = self._transport, None
        if transport is None:
            return
        failed = Failed(CONNECTION, why)
        transport.abort()
        self._acknowledged.put_nowait(failed)
        self._heard.lost(failed)


async def linked(
    heard: Heard,
    *,
    host: str,
    port: int,
    tls: ssl.SSLContext | None,
    login: tuple[str, str],
    client: str,
    answers: str,
) -> MqttLink:
    """A connection that takes what comes to the topic ``answers``; raises Failed."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            _, link = await loop.create_connection(lambda: MqttLink(heard), host, port, ssl=tls)
    except TimeoutError:
        raise Failed(CONNECTION, "no connection in time") from None
    except OSError as error:
        why = f"{host}:{port} cannot be reached: {error.strerror or error}"
        raise Failed(CONNECTION, why) from None
    try:
        await _introduced(link, login, client)
        await _subscribed(link, answers)
    except BaseException:
        link.drop()
        raise
    return link


async def _introduced(link: MqttLink, login: tuple[str, str], client: str) -> None:
    given = bytes((RECEIVE_MAXIMUM,)) + _SHORT.pack(MOST_UNCONFIRMED)
    body = b"".join(
        (
            *(string(b"MQTT"), b"\x05", bytes((_CLEAN | _PASSWORD | _USER,)), b"\0\0"),
            *(variable(len(given)), given),
            *(string(text.encode()) for text in (client, *login)),
        )
    )
    link.write(bytes((_CONNECT,)) + variable(len(body)) + body)
    packet = await link.next(_CONNACK)
    if len(packet) < 3 or packet[1]:
        raise Failed(CONNECTION, _reason(packet[1] if len(packet) > 1 else 0x84))
    size, begin = length(packet, 2)
    found = dict(properties(packet, begin, begin + size))
    link.limited(
        int.from_bytes(found.get(RECEIVE_MAXIMUM, b"\xff\xff")),
        int.from_bytes(found.get(MAXIMUM_PACKET_SIZE, _LONG.pack(LARGEST_PACKET))),
    )


async def _subscribed(link: MqttLink, topic: str) -> None:
    body = b"\0\1\0" + string(topic.encode()) + b"\1"
    link.write(bytes((_SUBSCRIBE,)) + variable(len(body)) + body)
    packet = await link.next(_SUBACK)
    if packet[-1] >= _FIRST_FAILURE:
        raise Failed(CONNECTION, f"no subscription to {topic}: {_reason(packet[-1])}")


def _reason(code: int) -> str:
    return REASONS.get(code, f"the message server's reason code is {code}")

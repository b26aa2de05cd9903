"""A proxy before RabbitMQ that reads AMQP frames, and keeps confirms back.

So a queue looks as one does that takes messages and never has them: nothing else is changed.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

PROTOCOL_HEADER_BYTES = 8
METHOD_FRAME = 1
FRAME_END = b"\xce"
CHANNEL_OPEN = (20, 10)
PUBLISH = (60, 40)
ACK = (60, 80)

_FRAME_HEAD = struct.Struct(">BHI")  # type, channel, size: AMQP 0-9-1 section 4.2.3
_METHOD = struct.Struct(">HH")
_ACK = struct.Struct(">HHQB")


class ConfirmProxy:
    """Confirms for routing keys in ``mute`` do not get through, nor does any while ``mute_all``.

    ``kept_back`` counts them by routing key, ``passed`` the others, and ``connections`` those that
    were accepted.
    """

    def __init__(self, target_port: int) -> None:
        self.mute: set[str] = set()
        self.mute_all = False
        self.kept_back: Counter[str] = Counter()
        self.passed: Counter[str] = Counter()
        self.connections = 0
        self.port = 0
        self._target_port = target_port
        self._late: list[tuple[asyncio.StreamWriter, bytes]] = []
        self._served: set[asyncio.Task[None]] = set()

    def let_through(self) -> None:
        """Keep nothing back from now on; what was kept back stays so."""
        self.mute.clear()
        self.mute_all = False

    def send_late(self) -> None:
        """Send the oldest confirm that was kept back."""
        writer, frame = self._late.pop(0)
        writer.write(frame)

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.create_task(self._serve(reader, writer))
        self._served.add(task)
        task.add_done_callback(self._served.discard)

    async def end(self) -> None:
        """End every connection, and wait until nothing of them is left."""
        for task in self._served:
            task.cancel()
        await asyncio.gather(*self._served, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        unconfirmed: dict[int, dict[int, str]] = defaultdict(dict)
        try:
            far_writer.write(await reader.readexactly(PROTOCOL_HEADER_BYTES))
            back = asyncio.create_task(self._pass_back(far_reader, writer, unconfirmed))
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await _pass_on(reader, far_writer, unconfirmed)
            far_writer.transport.abort()
            await back
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()
            far_writer.transport.abort()

    async def _pass_back(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        unconfirmed: dict[int, dict[int, str]],
    ) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                channel, payload, frame = await _frame(reader)
                if payload[:4] == _METHOD.pack(*ACK) and frame[0] == METHOD_FRAME:
                    self._confirm(writer, channel, payload, unconfirmed[channel])
                else:
                    writer.write(frame)
                await writer.drain()
        writer.close()

    def _confirm(
        self,
        writer: asyncio.StreamWriter,
        channel: int,
        payload: bytes,
        unconfirmed: dict[int, str],
    ) -> None:
        """One frame for each message, since one of the server's may be for many."""
        _, _, last, multiple = _ACK.unpack(payload)
        tags = [tag for tag in unconfirmed if tag == last or (multiple and tag < last)]
        for tag in tags:
            queue = unconfirmed.pop(tag)
            frame = _ack_frame(channel, tag)
            if self.mute_all or queue in self.mute:
                self.kept_back[queue] += 1
                self._late.append((writer, frame))
            else:
                self.passed[queue] += 1
                writer.write(frame)


async def _pass_on(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    unconfirmed: dict[int, dict[int, str]],
) -> None:
    sent: Counter[int] = Counter()
    while True:
        channel, payload, frame = await _frame(reader)
        if frame[0] == METHOD_FRAME:
            method = _METHOD.unpack_from(payload)
            if method == CHANNEL_OPEN:
                sent[channel] = 0
                unconfirmed[channel].clear()
            elif method == PUBLISH:
                sent[channel] += 1
                unconfirmed[channel][sent[channel]] = _routing_key(payload)
        writer.write(frame)
        await writer.drain()


async def _frame(reader: asyncio.StreamReader) -> tuple[int, bytes, bytes]:
    """The channel and the payload of the next frame, and the frame itself."""
    head = await reader.readexactly(_FRAME_HEAD.size)
    _, channel, size = _FRAME_HEAD.unpack(head)
    rest = await reader.readexactly(size + len(FRAME_END))
    return channel, rest[:size], head + rest


def _routing_key(payload: bytes) -> str:
    """Of a Basic.Publish: after class, method and a reserved number come exchange and key."""
    at = _METHOD.size + 2
    at += 1 + payload[at]
    return payload[at + 1 : at + 1 + payload[at]].decode()


def _ack_frame(channel: int, tag: int) -> bytes:
    payload = _ACK.pack(*ACK, tag, 0)
    return _FRAME_HEAD.pack(METHOD_FRAME, channel, len(payload)) + payload + FRAME_END


@asynccontextmanager
async def confirm_proxy(target_port: int) -> AsyncIterator[ConfirmProxy]:
    proxy = ConfirmProxy(target_port)
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.end()

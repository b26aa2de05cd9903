"""An HTTP server that answers as a test says, byte by byte."""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable

GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood"

Answer = Callable[[bytes], Awaitable[list[bytes]]]
"""From the body of a request to the pieces that are sent; an empty piece closes the connection."""


class Scripted:
    """A server on a free port of loopback."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.url = ""
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []
        self.connections = 0
        self.open: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open.add(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"(?i)content-length: (\d+)", head)
                body = await reader.readexactly(int(length[1]) if length else 0)
                self.heads.append(head)
                self.bodies.append(body)
                for piece in await self._answer(body):
                    if not piece:
                        return await self.close(writer)
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0)
        await self.close(writer)

    async def close(self, writer: asyncio.StreamWriter) -> None:
        self.open.discard(writer)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def always(*pieces: bytes) -> Answer:
    """The same answer to every request."""

    async def answer(_: bytes) -> list[bytes]:
        return list(pieces)

    return answer


@contextlib.asynccontextmanager
async def scripted(
    answer: Answer, context: ssl.SSLContext | None = None
) -> AsyncIterator[Scripted]:
    """Up until the end, with every connection of it."""
    script = Scripted(answer)
    tasks: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.create_task(script.serve(reader, writer)))

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    script.url = f"{'https' if context else 'http'}://127.0.0.1:{port}/token?a=b"
    try:
        yield script
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for writer in list(script.open):
            await script.close(writer)

"""A TCP proxy in the test's own event loop, which holds back what a server says."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

CHUNK_BYTES = 65536


class SlowProxy:
    """Passes bytes on, each answer ``delay_seconds`` late; mute while ``deaf`` is set.

    ``swallow`` is text with which an answer does not get through; ``swallowed`` counts those.
    ``connections`` counts those that were accepted.
    """

    def __init__(self, target_port: int, delay_seconds: float) -> None:
        self.delay_seconds = delay_seconds
        self.deaf = False
        self.swallow: bytes | None = None
        self.swallowed = 0
        self.connections = 0
        self.port = 0
        self._target_port = target_port
        self._writers: set[asyncio.StreamWriter] = set()
        self._served: set[asyncio.Task[None]] = set()

    def cut(self) -> None:
        """End every connection at once."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def end(self) -> None:
        """End every connection, and wait until nothing of them is left."""
        self.cut()
        for task in self._served:
            task.cancel()
        await asyncio.gather(*self._served, return_exceptions=True)

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._served.add(task)
        task.add_done_callback(self._served.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:
            writer.close()
            return
        self._writers |= {writer, far_writer}
        with contextlib.suppress(OSError):
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass_on(reader, far_writer, late=False))
                group.create_task(self._pass_on(far_reader, writer, late=True))
        self._writers -= {writer, far_writer}

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, late: bool
    ) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(CHUNK_BYTES):
                if late:
                    await asyncio.sleep(self.delay_seconds)
                if self.deaf:
                    continue
                if late and self.swallow is not None and self.swallow in chunk:
                    self.swallowed += 1
                    continue
                writer.write(chunk)
                await writer.drain()
        writer.close()


@asynccontextmanager
async def slow_proxy(target_port: int, delay_seconds: float = 0.0) -> AsyncIterator[SlowProxy]:
    proxy = SlowProxy(target_port, delay_seconds)
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.end()

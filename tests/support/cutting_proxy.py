"""A TCP proxy that breaks a connection at one exact command, before or after the server got it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

CHUNK_BYTES = 65536


class CuttingProxy:
    """Passes bytes on until ``cut_at`` says otherwise; takes nobody while ``away`` is set.

    ``cuts`` counts what was cut, and ``cut`` is set by the first.
    """

    def __init__(self, target_port: int) -> None:
        self.away = False
        self.cuts = 0
        self.cut = asyncio.Event()
        self.port = 0
        self._target_port = target_port
        self._word = b""
        self._times = 0
        self._applied = False
        self._open: set[asyncio.StreamWriter] = set()

    def cut_at(self, word: str, *, applied: bool, times: int = 1) -> None:
        """Break the connection at the next command that has ``word`` in it.

        If ``applied``, the server gets it and answers, and the answer is dropped; else the server
        never hears of it.
        """
        self._word, self._applied, self._times = word.encode(), applied, times

    def abort(self) -> None:
        for writer in list(self._open):
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.away:
            writer.transport.abort()
            return
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        mine = {writer, far_writer}
        self._open |= mine
        back = asyncio.create_task(_pass_on(far_reader, writer))
        with contextlib.suppress(OSError):
            while chunk := await reader.read(CHUNK_BYTES):
                if self._times and self._word in chunk:
                    self._times -= 1
                    self.cuts += 1
                    self.cut.set()
                    back.cancel()
                    await asyncio.wait([back])
                    if self._applied:
                        far_writer.write(chunk)
                        await far_reader.read(CHUNK_BYTES)
                    break
                far_writer.write(chunk)
                await far_writer.drain()
        for end in mine:
            end.transport.abort()
        self._open -= mine
        back.cancel()
        await asyncio.gather(back, return_exceptions=True)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(CHUNK_BYTES):
            writer.write(chunk)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def cutting_proxy(target_port: int) -> AsyncIterator[CuttingProxy]:
    proxy = CuttingProxy(target_port)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        proxy.abort()
        await asyncio.sleep(0.01)

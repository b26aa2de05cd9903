"""A server with known delays: ``python -m bench.selfcheck.stub``, a process of its own.

Lines in and out are JSON. The first in is ``delays``, the seconds that answers take, in turn; the
first out is the ``port``. ``{"stall": [moment, seconds]}`` stops all of it for so long, at a moment
of ``time.monotonic()``; ``stalled`` says from when to when that was. ``{"late": true}`` asks how
late its own answers were since it was asked last, in seconds: the 99th percentile.
"""

from __future__ import annotations

import asyncio
import heapq
import json
import signal
import sys
import time
from itertools import count, cycle
from typing import cast

import uvloop

from bench.driver.timer import FineTimer

BODY = b'{"access_token": "stub", "token_type": "Bearer"}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
    len(BODY),
    BODY,
)
END_OF_HEAD = b"\r\n\r\n"
LENGTH = b"content-length:"
BACKLOG = 4096
HIGH = 0.99


class Stub:
    """All connections, and the answers that are due."""

    def __init__(self, delays: list[float]) -> None:
        self._delays = cycle(delays)
        self._prompt = not any(delays)
        self._order = count()
        self._due: list[tuple[float, int, asyncio.Transport]] = []
        self._timer = FineTimer(self._answer_due)
        self._late: list[float] = []

    def asked(self, transport: asyncio.Transport) -> None:
        """One request is here."""
        if self._prompt:
            transport.write(ANSWER)
            return
        due = time.monotonic() + next(self._delays)
        heapq.heappush(self._due, (due, next(self._order), transport))
        if self._due[0][0] == due:
            self._timer.at(due)

    def late(self) -> float:
        """Seconds."""
        late, self._late = sorted(self._late), []
        return late[int(len(late) * HIGH)] if late else 0.0

    def _answer_due(self) -> None:
        while self._due and self._due[0][0] <= (now := time.monotonic()):
            due, _, transport = heapq.heappop(self._due)
            self._late.append(now - due)
            if not transport.is_closing():
                transport.write(ANSWER)
        if self._due:
            self._timer.at(self._due[0][0])


class Connection(asyncio.Protocol):
    """Requests one after the other; all get the same answer."""

    def __init__(self, stub: Stub) -> None:
        self._stub = stub
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._rest += data
        while (end := self._rest.find(END_OF_HEAD)) >= 0:
            whole = end + len(END_OF_HEAD) + _length(self._rest[:end])
            if len(self._rest) < whole:
                return
            self._rest = self._rest[whole:]
            self._stub.asked(self._transport)


def _length(head: bytes) -> int:
    _, found, rest = head.lower().partition(LENGTH)
    return int(rest.split(b"\r\n", 1)[0]) if found else 0


def _say(value: object) -> None:
    print(json.dumps(value), flush=True)


async def _stalled(moment: float, seconds: float) -> None:
    await asyncio.sleep(max(0.0, moment - time.monotonic()))
    begun = time.monotonic()
    time.sleep(seconds)  # noqa: ASYNC251  # the whole server stands still: that is the point
    _say({"stalled": [begun, time.monotonic()]})


async def _main() -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    stub = Stub(json.loads(await reader.readline())["delays"])
    server = await loop.create_server(lambda: Connection(stub), "127.0.0.1", 0, backlog=BACKLOG)
    _say({"port": server.sockets[0].getsockname()[1]})
    tasks = set()
    while text := await reader.readline():
        told = json.loads(text)
        if "late" in told:
            _say({"late": stub.late()})
        if "stall" in told:
            tasks.add(asyncio.create_task(_stalled(*told["stall"])))


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the command that started it ends it
    uvloop.run(_main())

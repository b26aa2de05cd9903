"""The stub's process, from outside."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence
from typing import Any

ANSWER_SECONDS = 60.0


class StubFailed(Exception):
    """The stub does not answer."""


class RunningStub:
    """A stub that listens."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self.pid = process.pid
        self.url = ""
        self.stalls: list[tuple[float, float]] = []
        """When it stood still, as it said by the last :meth:`late`."""

    def stall(self, moment: float, seconds: float) -> None:
        """Have it stand still from a moment of ``time.monotonic()``."""
        self._tell({"stall": [moment, seconds]})

    async def late(self) -> float:
        """By how many seconds its own answers were late, at the 99th percentile, since the last
        call."""
        self._tell({"late": True})
        return float(await self._said("late"))

    async def begun(self, delays: Sequence[float]) -> None:
        """Raises StubFailed."""
        self._tell({"delays": list(delays)})
        self.url = f"http://127.0.0.1:{await self._said('port')}/token"

    async def _said(self, kind: str) -> Any:
        """What its next line of a kind says. Raises StubFailed."""
        while self._process.stdout is not None:
            async with asyncio.timeout(ANSWER_SECONDS):
                text = await self._process.stdout.readline()
            if not text:
                break
            said = json.loads(text)
            if "stalled" in said:
                self.stalls.append(tuple(said["stalled"]))
            if kind in said:
                return said[kind]
        raise StubFailed("the stub has ended")

    def _tell(self, told: object) -> None:
        if self._process.stdin is not None:
            self._process.stdin.write(json.dumps(told).encode() + b"\n")


@contextlib.asynccontextmanager
async def stub(delays: Sequence[float]) -> AsyncIterator[RunningStub]:
    """A stub whose answers take these seconds in turn; gone at the end. Raises StubFailed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.selfcheck.stub"),
        stdin=PIPE,
        stdout=PIPE,
        start_new_session=True,
    )
    running = RunningStub(process)
    try:
        await running.begun(delays)
        yield running
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()

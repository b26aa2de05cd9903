"""A second process on a store, driven line by line."""

from __future__ import annotations

import asyncio
import json
from typing import Any


class Worker:
    """A second process on the store, which obeys commands."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def tell(self, *command: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(command).encode() + b"\n")
        await self.process.stdin.drain()

    async def hear(self) -> Any:
        """The next line; None once the process has ended."""
        assert self.process.stdout is not None
        line = await self.process.stdout.readline()
        return json.loads(line) if line.endswith(b"\n") else None

    async def do(self, *command: object) -> Any:
        await self.tell(*command)
        return await self.hear()

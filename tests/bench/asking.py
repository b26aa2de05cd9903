"""Targets that are asked for tokens as a load would ask, a few times."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp

from bench.target import Target
from bench.target.options import TargetOptions, target_from

NUMBER = 5

Sample = tuple[bytes, bytes]


async def made(kind: str, url: str, **options: Any) -> Target:
    """A target; in a thread, since it asks servers that answer in this one."""
    return await asyncio.to_thread(target_from, kind, url, TargetOptions(**options))


async def samples(target: Target, number: int = NUMBER) -> list[Sample]:
    """Requests with the good answers that the server gave to them."""
    found = []
    async with aiohttp.ClientSession() as http:
        for body in await asyncio.to_thread(lambda: list(target.bodies(number))):
            async with http.post(target.url, data=body, headers=target.head) as response:
                answer = await response.read()
                assert response.status == 200, answer
            found.append((body, answer))
    return found

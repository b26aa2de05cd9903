"""A closed loop of HTTP requests: a number in flight, until a number is done."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import aiohttp


class WrongAnswer(Exception):
    """An answer that was not a token; a run with one counts for nothing."""


async def post_all(url: str, bodies: Sequence[bytes], *, total: int, in_flight: int) -> None:
    """POST ``total`` requests, going round the bodies. Raises WrongAnswer."""
    left = iter(range(total))
    head = {"Content-Type": "application/json"}

    async def worker(http: aiohttp.ClientSession) -> None:
        for number in left:
            body = bodies[number % len(bodies)]
            async with http.post(url, data=body, headers=head) as response:
                if response.status != 200 or b"issued_token" not in await response.read():
                    raise WrongAnswer(f"{response.status} from {url}")

    connector = aiohttp.TCPConnector(limit=in_flight)
    async with aiohttp.ClientSession(connector=connector) as http:
        await asyncio.gather(*(worker(http) for _ in range(in_flight)))

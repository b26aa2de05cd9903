"""Questions to a server beside the load: few, bounded, and answered before or after a run."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import orjson

from bench.target import NotPrepared

T = TypeVar("T")

AT_ONCE = 8
"""Questions side by side: logins cost a server a password hash each."""
SECONDS = 60.0
"""For one question: others may wait before it."""
LOOKING_SECONDS = 5.0
"""For one that may as well fail: whether something stands at an address."""
MAX_ANSWER_BYTES = 4 * 2**20
UNREACHABLE = (aiohttp.ClientError, OSError, TimeoutError)


def waited(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine, called from anywhere, even from inside a running loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


@asynccontextmanager
async def asking(ca: Path | None, seconds: float = SECONDS) -> AsyncIterator[aiohttp.ClientSession]:
    """A client without cookies. Raises NotPrepared for authorities that cannot be read."""
    try:
        trusted = ssl.create_default_context(cafile=str(ca)) if ca else True
    except (OSError, ssl.SSLError):
        raise NotPrepared(f"the file {ca} holds no certificates that can be read") from None
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=trusted, limit=AT_ONCE),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=seconds),
    ) as http:
        yield http


async def answered(
    http: aiohttp.ClientSession,
    method: str,
    url: str,
    *,
    head: Mapping[str, str] | None = None,
    body: bytes = b"",
) -> tuple[int, bytes]:
    """Status and body, cut at the limit. Raises one of ``UNREACHABLE``."""
    async with http.request(
        method, url, headers=head, data=body or None, allow_redirects=False
    ) as response:
        return response.status, await _read(response)


async def each(items: Iterable[T], ask: Callable[[T], Awaitable[None]]) -> None:
    """``ask`` for every item, as many at once as there may be; the first failure ends them all."""
    waiting = iter(items)

    async def lane() -> None:
        for item in waiting:
            await ask(item)

    lanes = [asyncio.ensure_future(lane()) for _ in range(AT_ONCE)]
    try:
        await asyncio.gather(*lanes)
    finally:
        for one in lanes:
            one.cancel()
        await asyncio.gather(*lanes, return_exceptions=True)


def members(body: bytes) -> dict[str, Any]:
    """A JSON object, or an empty one for anything else."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


async def _read(response: aiohttp.ClientResponse) -> bytes:
    parts, size = [], 0
    async for part in response.content.iter_chunked(2**16):
        parts.append(part)
        size += len(part)
        if size > MAX_ANSWER_BYTES:
            break
    return b"".join(parts)[:MAX_ANSWER_BYTES]

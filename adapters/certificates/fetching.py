"""Fetches lists and asks responders: bounded in time and size, from places that a realm named.

What a certificate says of its own places counts only for hosts that the realm's authority lists, or
whoever holds a certificate could send us anywhere. A redirect is not followed.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

import aiohttp

from adapters.certificates.draft import may_fetch
from adapters.nearness import Resolver, why

FETCH_SECONDS = 5.0
MAX_LIST_BYTES = 10 * 1024 * 1024
MAX_RESPONSE_BYTES = 64 * 1024
PORTS = {"http": 80, "https": 443}
OCSP_HEAD = {"Content-Type": "application/ocsp-request", "Accept": "application/ocsp-response"}


class FetchFailed(Exception):
    """It could not be had; the sentence says why, without what the other side said."""


class Http:
    """A client of its own for each process. Close it in the end."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def list_at(self, url: str) -> bytes:
        """A revocation list. Raises FetchFailed."""
        return await self._got("GET", url, MAX_LIST_BYTES)

    async def answer_of(self, url: str, request: bytes) -> bytes:
        """A responder's answer (RFC 6960, appendix A.1). Raises FetchFailed."""
        return await self._got("POST", url, MAX_RESPONSE_BYTES, request)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def _got(self, method: str, url: str, most: int, body: bytes | None = None) -> bytes:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(resolver=Resolver()),
                timeout=aiohttp.ClientTimeout(total=FETCH_SECONDS),
                headers={"User-Agent": "remint"},
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        head = OCSP_HEAD if body is not None else None
        try:
            async with self._session.request(
                method, url, data=body, headers=head, allow_redirects=False
            ) as response:
                if response.status != 200:
                    raise FetchFailed(f"it answered {response.status}")
                data = bytearray()
                async for chunk in response.content.iter_any():
                    data += chunk
                    if len(data) > most:
                        raise FetchFailed(f"what it answered is over {most} bytes")
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise FetchFailed(why(error)) from None
        return bytes(data)


def allowed(urls: Iterable[str], hosts: Iterable[str]) -> list[str]:
    """Those of a certificate's URLs whose host, with its port, the realm listed."""
    listed = set(hosts)
    return [url for url in urls if may_fetch(url) and not _names(url).isdisjoint(listed)]


def _names(url: str) -> set[str]:
    """``host:port``, and ``host`` alone for the port that the scheme has anyway."""
    place = urlsplit(url)
    host = (place.hostname or "").lower()
    usual = PORTS[place.scheme]
    port = place.port or usual
    return {f"{host}:{port}", *([host] if port == usual else [])}

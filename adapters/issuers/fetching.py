"""Fetches what an issuer publishes: bounded in time and size, from nowhere but where it was told.

Keys come over https, or from this machine. A redirect is not followed: whoever may send one could
send us anywhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson

from adapters.issuers.jwk_set import MAX_SET_BYTES
from adapters.issuers.sources import Fetch, FetchFailed
from adapters.nearness import Resolver, leads_near, why
from adapters.settings_values import is_loopback

FETCH_SECONDS = 5.0
WELL_KNOWN = "/.well-known/openid-configuration"
MAX_URL_LENGTH = 2048
HEADERS = {"Accept": "application/json, application/jwk-set+json", "User-Agent": "remint"}
NOT_FETCHED = "keys are fetched over https, or http from this machine"


def may_fetch(url: str) -> bool:
    """Whether keys may come from there: https, or http on loopback; no credentials, no fragment."""
    try:
        place = urlsplit(url)
        host, _ = place.hostname, place.port
    except ValueError:
        return False
    if not host or len(url) > MAX_URL_LENGTH or place.username is not None or place.fragment:
        return False
    return place.scheme == "https" or (place.scheme == "http" and is_loopback(host))


class Fetcher:
    """Fetches over HTTP; one for the process. Close it in the end."""

    def __init__(self) -> None:
        self._http: aiohttp.ClientSession | None = None

    def from_url(self, url: str) -> Fetch:
        async def fetch() -> bytes:
            return await self._got(url)

        return fetch

    def by_discovery(self, issuer: str) -> Fetch:
        """OpenID Connect Discovery 1.0, section 4: the document must be the issuer's own."""

        async def fetch() -> bytes:
            found = _document(await self._got(issuer.rstrip("/") + WELL_KNOWN))
            if found.get("issuer") != issuer:
                raise FetchFailed("its configuration is that of another issuer")
            jwks_uri = found.get("jwks_uri")
            if not isinstance(jwks_uri, str) or not _may_lead(issuer, jwks_uri):
                raise FetchFailed(
                    f"its configuration names no jwks_uri that will do: {NOT_FETCHED}"
                )
            return await self._got(jwks_uri)

        return fetch

    async def close(self) -> None:
        if self._http is not None:
            await self._http.close()

    async def _got(self, url: str) -> bytes:
        if self._http is None:
            timeout = aiohttp.ClientTimeout(total=FETCH_SECONDS)
            self._http = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(resolver=Resolver()),
                timeout=timeout,
                headers=HEADERS,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        try:
            async with self._http.get(url, allow_redirects=False) as response:
                if response.status != 200:
                    raise FetchFailed(f"it answered {response.status}")
                data = await response.content.read(MAX_SET_BYTES + 1)
                while len(data) <= MAX_SET_BYTES and (more := await response.content.readany()):
                    data += more
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise FetchFailed(why(error)) from None
        if len(data) > MAX_SET_BYTES:
            raise FetchFailed(f"what it answered is over {MAX_SET_BYTES} bytes")
        return data


def _may_lead(issuer: str, jwks_uri: str) -> bool:
    """An issuer elsewhere has no keys here, and may not have us ask what listens here."""
    return may_fetch(jwks_uri) and (leads_near(issuer) or not leads_near(jwks_uri))


def from_file(path: Path) -> Fetch:
    """A JWK set in a file of this machine."""

    def read() -> bytes:
        with path.open("rb") as file:
            return file.read(MAX_SET_BYTES + 1)

    async def fetch() -> bytes:
        try:
            return await asyncio.to_thread(read)
        except OSError as error:
            raise FetchFailed(f"{path}: {error.strerror}") from None

    return fetch


def _document(data: bytes) -> Mapping[str, Any]:
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise FetchFailed("its configuration is not a JSON object")
    return found

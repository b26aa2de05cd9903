"""A revocation list at one place: fetched when it is needed, kept until its successor is due."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog
from cryptography import x509

from adapters.certificates import crl
from adapters.certificates.crl import RevocationList, UnusableList
from adapters.certificates.fetching import MAX_LIST_BYTES, FetchFailed
from broker.authorities import Revocation

FRESH_SECONDS = 3600.0
"""How old a list may be before another is fetched, beside the requests that it serves."""

FILE_FRESH_SECONDS = 5.0
"""The same of a file."""

AGAIN_SECONDS = 5.0
"""The least time from one attempt to the next."""

MAX_WAITING = 64
"""How many requests may wait for one place at a time: a slow one must not take up the broker."""

Fetch = Callable[[], Awaitable[bytes]]
"""Gets the list, DER or PEM; raises FetchFailed."""

_log = structlog.get_logger(__name__)


class KeptList:
    """The list at ``place``, a URL or a path; one fetch serves all who wait."""

    def __init__(self, fetch: Fetch, place: str, fresh_seconds: float) -> None:
        self._fetch = fetch
        self._place = place
        self._fresh_seconds = fresh_seconds
        self._list: RevocationList | None = None
        self._proven: RevocationList | None = None
        self._good_at = 0.0
        self._asked_at: float | None = None
        self._fetching: asyncio.Task[None] | None = None
        self._waiting = 0

    async def says(
        self, certificate: x509.Certificate, issuer: x509.Certificate, now: float
    ) -> Revocation:
        """As ``RevocationList.says``; UNREACHABLE if there is none of this time.

        Whoever stands on the way here can send anything that looks like a list, or an old one. So
        the last one that the issuer proved to have signed stays, until it signed a newer one.
        """
        found = await self._current_or_fetched(now)
        signed = [
            each
            for each in (found, self._proven)
            if each is not None and now < each.next_update and await each.is_of(issuer)
        ]
        if signed:
            self._proven = found = max(signed, key=lambda each: each.this_update)
        if found is None:
            return Revocation.UNREACHABLE
        return await found.says(certificate, issuer, now)

    async def _current_or_fetched(self, now: float) -> RevocationList | None:
        """None if there is none of this time and none can be had."""
        known = self._current(now)
        if known is None:
            await self._fetched_by_all(self._begin())
            return self._current(now)
        if time.monotonic() - self._good_at >= self._fresh_seconds:
            self._begin()
        return known

    async def _fetched_by_all(self, fetching: asyncio.Task[None] | None) -> None:
        """One fetch for all who wait, unless too many do already."""
        if fetching is None or self._waiting >= MAX_WAITING:
            return
        self._waiting += 1
        try:
            await asyncio.shield(fetching)
        finally:
            self._waiting -= 1

    async def close(self) -> None:
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)

    def _current(self, now: float) -> RevocationList | None:
        return None if self._list is None or now >= self._list.next_update else self._list

    def _begin(self) -> asyncio.Task[None] | None:
        if self._fetching is not None and not self._fetching.done():
            return self._fetching
        at = time.monotonic()
        if self._asked_at is not None and at - self._asked_at < AGAIN_SECONDS:
            return None
        self._asked_at = at
        self._fetching = asyncio.create_task(self._fetched())
        return self._fetching

    async def _fetched(self) -> None:
        """What cannot be had or read never takes the place of a good list."""
        try:
            data = await self._fetch()
            found = await asyncio.to_thread(crl.parsed, data)
        except (FetchFailed, UnusableList) as error:
            _log.warning("a revocation list is not had", place=self._place, why=str(error))
        else:
            self._list, self._good_at = found, time.monotonic()


def from_file(path: Path) -> Fetch:
    """A list in a file of this machine."""

    def read() -> bytes:
        with path.open("rb") as file:
            data = file.read(MAX_LIST_BYTES + 1)
        if len(data) > MAX_LIST_BYTES:
            raise FetchFailed(f"it is over {MAX_LIST_BYTES} bytes")
        return data

    async def fetch() -> bytes:
        try:
            return await asyncio.to_thread(read)
        except OSError as error:
            raise FetchFailed(str(error.strerror)) from None

    return fetch

"""Where an issuer's keys come from, and how long they are good.

Keys that are written down are there. Keys that have to be fetched are kept: a good set stays until
a better one takes its place, and serves on while the issuer cannot be reached.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

import structlog

from adapters.issuers import jwk_set
from adapters.issuers.jwk_set import KeySet, UnusableSet
from adapters.issuers.verification import SecretVerifier
from broker.errors import Unavailable
from broker.model import Secret
from broker.trust import VerificationKey

FRESH_SECONDS = 300.0
"""How old a fetched set may be before another is fetched, beside the requests that it serves."""

FILE_FRESH_SECONDS = 5.0
"""The same of a file."""

STALE_SECONDS = 24 * 3600.0
"""How long a set is used that could not be fetched anew."""

AGAIN_SECONDS = 60.0
"""The least time from one fetch to the next, however many unknown keys are named."""

FIRST_SECONDS = 5.0
"""The same while there is no set at all."""

MAX_WAITING = 64
"""How many requests may wait for one issuer at a time: a slow one must not take up the broker."""

NOT_THERE = "the keys of this token's issuer cannot be had at the moment; ask again shortly"

Fetch = Callable[[], Awaitable[bytes]]
"""Gets the JWK set; raises FetchFailed."""

_log = structlog.get_logger(__name__)


class FetchFailed(Exception):
    """The keys could not be had; the sentence says why, without what the other side said."""


class KeySource(Protocol):
    async def keys(self, algorithm: str, kid: str | None) -> Sequence[VerificationKey]:
        """As ``broker.ports.Trust`` has it."""


class WrittenKeys:
    """Public keys that stand in the issuer's document."""

    def __init__(self, document: Any) -> None:
        """Raises UnusableSet."""
        self._set = jwk_set.read(document, strict=True)

    async def keys(self, algorithm: str, kid: str | None) -> Sequence[VerificationKey]:
        return self._set.suitable(algorithm, kid)


class SharedSecret:
    """The client secret that the issuer signs with; it has no name, so ``kid`` says nothing."""

    def __init__(self, secret: Secret) -> None:
        self._keys = (SecretVerifier(secret),)

    async def keys(self, algorithm: str, kid: str | None) -> Sequence[VerificationKey]:
        return self._keys


class OwnKeys:
    """The realm's own keys, as its JWKS has them now."""

    def __init__(self, jwks: Callable[[], Mapping[str, Any]]) -> None:
        self._jwks = jwks
        self._set: KeySet | None = None
        self._read: Mapping[str, Any] | None = None

    async def keys(self, algorithm: str, kid: str | None) -> Sequence[VerificationKey]:
        jwks = self._jwks()
        if self._set is None or jwks != self._read:
            self._set, self._read = jwk_set.read(jwks), jwks
        return self._set.suitable(algorithm, kid)


class FetchedKeys:
    """A set that is fetched when it is first needed; ``issuer`` is for the log.

    ``monotonic`` counts seconds and never goes back.
    """

    def __init__(
        self,
        fetch: Fetch,
        issuer: str,
        *,
        fresh_seconds: float = FRESH_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch = fetch
        self._issuer = issuer
        self._fresh_seconds = fresh_seconds
        self._again_seconds = min(AGAIN_SECONDS, fresh_seconds)
        self._monotonic = monotonic
        self._set: KeySet | None = None
        self._good_at = 0.0
        self._asked_at: float | None = None
        self._fetching: asyncio.Task[None] | None = None
        self._waiting = 0

    async def keys(self, algorithm: str, kid: str | None) -> Sequence[VerificationKey]:
        known = self._current()
        if known is None:
            await self._renewed(FIRST_SECONDS)
            known = self._current()
            if known is None:
                raise Unavailable(NOT_THERE, retry_after=int(FIRST_SECONDS))
        elif not known.names(kid):
            await self._renewed(self._again_seconds)
            known = self._current() or known
        elif self._monotonic() - self._good_at >= self._fresh_seconds:
            self._begin(self._again_seconds)
        return known.suitable(algorithm, kid)

    async def close(self) -> None:
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)

    def _current(self) -> KeySet | None:
        """The set, unless it is too old to be believed."""
        if self._set is None or self._monotonic() - self._good_at >= STALE_SECONDS:
            return None
        return self._set

    async def _renewed(self, least: float) -> None:
        """One fetch for all who wait; one who stops waiting takes it from nobody.

        Raises Unavailable if too many wait already.
        """
        fetching = self._begin(least)
        if fetching is None:
            return
        if self._waiting >= MAX_WAITING:
            raise Unavailable(NOT_THERE, retry_after=int(FIRST_SECONDS))
        self._waiting += 1
        try:
            await asyncio.shield(fetching)
        finally:
            self._waiting -= 1

    def _begin(self, least: float) -> asyncio.Task[None] | None:
        """The fetch that is under way, or another; None if the last one began too recently."""
        if self._fetching is not None and not self._fetching.done():
            return self._fetching
        now = self._monotonic()
        if self._asked_at is not None and now - self._asked_at < least:
            return None
        self._asked_at = now
        self._fetching = asyncio.create_task(self._fetched())
        return self._fetching

    async def _fetched(self) -> None:
        """A set that cannot be had or used never takes the place of a good one."""
        try:
            found = jwk_set.read_bytes(await self._fetch())
        except FetchFailed as error:
            _log.warning("keys of a trusted issuer not had", issuer=self._issuer, why=str(error))
        except UnusableSet as error:
            _log.warning("keys of a trusted issuer not used", issuer=self._issuer, why=str(error))
        else:
            self._set, self._good_at = found, self._monotonic()

"""Client ids on lease, so that what a dead worker was sent does not stay with it.

A message server keeps a member's share of a shared subscription for that member alone, that is for
its client id. So each worker connects as a numbered slot, of which it holds the lease in the store,
and a slot whose lease has run out may be taken by anybody. The highest number ever used stands in
the store too: it says how far to look for slots that were left.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from broker.errors import RequestInProgress, Unavailable
from broker.model import Claim
from broker.ports import Clock, ConfigurationStore, RequestLedger

LEASE_SECONDS = 10.0
RENEW_SECONDS = 2.0
MAX_SLOTS = 256

_SCOPE = "mqtt-slot"
_FINGERPRINT = hashlib.sha256(_SCOPE.encode()).digest()
_HIGHEST = "mqtt-slots"  # the document with the highest number ever used


_log = structlog.get_logger(__name__)


class Lease:
    """A slot that is ours until ``lost`` is set."""

    def __init__(self, slot: int) -> None:
        self.slot = slot
        self.lost = asyncio.Event()


class Slots:
    """Leases of slots, in the name of one worker."""

    def __init__(
        self,
        *,
        ledger: RequestLedger,
        configuration: ConfigurationStore,
        clock: Clock,
        owner: str,
    ) -> None:
        self._ledger = ledger
        self._configuration = configuration
        self._clock = clock
        self._owner = owner

    @asynccontextmanager
    async def lowest(self) -> AsyncIterator[Lease]:
        """Hold the lowest slot that is free. Raises Unavailable."""
        for slot in range(MAX_SLOTS):
            async with self.held(slot) as lease:
                if lease is not None:
                    await self._remember(slot)
                    yield lease
                    return
        raise Unavailable(f"all {MAX_SLOTS} slots are taken")

    @asynccontextmanager
    async def held(self, slot: int) -> AsyncIterator[Lease | None]:
        """Hold this slot, renewing the lease; None if somebody else does. Raises Unavailable."""
        claim = await self._claimed(slot)
        if claim is None:
            yield None
            return
        lease = Lease(slot)
        renewal = asyncio.create_task(self._renewed(lease))
        try:
            yield lease
        finally:
            renewal.cancel()
            await asyncio.gather(renewal, return_exceptions=True)
            if not lease.lost.is_set():
                # What fails here runs out by itself.
                with contextlib.suppress(Exception):
                    await self._ledger.release(claim)

    async def highest(self) -> int:
        """The highest slot that anybody ever had, -1 for none. Raises Unavailable."""
        return _number(await self._configuration.get(_HIGHEST))

    async def _remember(self, slot: int) -> None:
        while True:
            known = await self._configuration.get(_HIGHEST)
            if _number(known) >= slot:
                return
            if await self._configuration.swap(_HIGHEST, known, str(slot).encode()):
                return

    async def _renewed(self, lease: Lease) -> None:
        """Until somebody else holds it.

        A store that does not answer is no reason to let go: whoever takes the slot over connects
        under its client id, and by that ends our connection.
        """
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            try:
                claim = await self._claimed(lease.slot)
            except Unavailable:
                continue
            except Exception as error:
                _log.error("mqtt slot not renewed", error=type(error).__name__)
                continue
            if claim is None:
                _log.warning("mqtt slot lost", slot=lease.slot)
                lease.lost.set()
                return

    async def _claimed(self, slot: int) -> Claim | None:
        proposal = Claim(
            token_id="",
            issued_at=0,
            expires_at=0,
            key_id=None,
            entropy=b"",
            fingerprint=_FINGERPRINT,
            scope=_SCOPE,
            request_id=str(slot),
            owner=self._owner,
        )
        try:
            claim = await self._ledger.claim(proposal, self._clock.now(), LEASE_SECONDS)
        except RequestInProgress:
            return None
        return claim if isinstance(claim, Claim) else None


def _number(document: bytes | None) -> int:
    return int(document) if document else -1

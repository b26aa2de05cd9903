"""Messages that may have ended the broker, worked on one at a time and counted.

A request that ends the process that works on it would do so for ever, since it is never
acknowledged. RabbitMQ's own count cannot single it out: it goes up for everything that was in hand
at that moment. So a message that came back several times is written down in the request ledger
before anything in it is looked at. Of such messages this process works on one at a time, and on one
that asks for control, so that a cancel waits for no batch; a crash counts against these alone. What
ends in any other way, cancelled or not, begins at nought again.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import secrets
from collections.abc import AsyncIterator
from typing import Protocol

from adapters.messages.asked import CANCEL, RESULT, VALIDATE
from adapters.messages.breaker import Breaker
from broker.errors import Gone, RemintError, RequestInProgress, Unavailable
from broker.model import Answer, Claim
from broker.ports import Clock, RequestLedger

SUSPECT_FAILURES = 2  # RabbitMQ's count from which on a message is looked at twice
MAX_CRASHES = 5
CONTROL_TYPES = frozenset({VALIDATE, CANCEL, RESULT})
SCOPE = "delivery"
LEASE_SECONDS = 2.0
POLL_SECONDS = 0.1
CLEARED_SECONDS = 60.0
MAX_CLEARED = 100  # times that one message may end well and come back, before it is trusted
_CLEARED = Answer(200, {})


class Poison(RemintError):
    """A message that ended the broker ``crashes`` times."""

    def __init__(self, crashes: int) -> None:
        super().__init__(f"the broker ended {crashes} times while it worked on this message")
        self.first_time = crashes == MAX_CRASHES
        """Whether it was not found out before: it may be read once more."""


class Incoming(Protocol):
    """What is asked of a delivery, whatever message server it is of."""

    @property
    def type(self) -> str | None: ...

    @property
    def message_id(self) -> str | None: ...

    @property
    def body(self) -> bytes: ...

    @property
    def failures(self) -> int:
        """How often it came before and was not acknowledged."""


class Suspects:
    """The suspects of one process; the ledger knows those of all."""

    def __init__(self, ledger: RequestLedger, breaker: Breaker, clock: Clock) -> None:
        self._ledger = ledger
        self._breaker = breaker
        self._clock = clock
        self._turn = asyncio.Lock()
        self._control_turn = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def counted(self, incoming: Incoming) -> AsyncIterator[Poison | None]:
        """Work on ``incoming`` inside; Poison if it must not be worked on any more."""
        if incoming.failures < SUSPECT_FAILURES:
            yield None
            return
        turn = self._control_turn if incoming.type in CONTROL_TYPES else self._turn
        while True:
            await self._breaker.wait()
            async with turn:
                try:
                    claim = await self._claimed(self._ledger, incoming)
                except RequestInProgress:
                    pass  # another process is at it, which holds up no other suspect
                except Unavailable as failure:
                    await self._breaker.opened_by(failure)
                else:
                    async with self._kept(self._ledger, claim) as poison:
                        yield poison
                    return
            await asyncio.sleep(POLL_SECONDS)

    @contextlib.asynccontextmanager
    async def _kept(
        self, ledger: RequestLedger, claim: Claim | None
    ) -> AsyncIterator[Poison | None]:
        """The claim stays ours for as long as the work takes, and ends with it."""
        if claim is None:
            yield None
            return
        crashes = claim.epoch - 1
        renewing = asyncio.create_task(self._renew(ledger, claim))
        try:
            yield Poison(crashes) if crashes >= MAX_CRASHES else None
        finally:
            renewing.cancel()
            # A second cancellation must not make this one a crash.
            await asyncio.shield(self._clear(ledger, claim))

    async def _renew(self, ledger: RequestLedger, claim: Claim) -> None:
        """Its owner asks for it again: so nobody takes slow work for a crash."""
        while True:
            await asyncio.sleep(LEASE_SECONDS / 3)
            with contextlib.suppress(RemintError):
                await ledger.claim(claim, self._clock.now(), LEASE_SECONDS)

    async def _claimed(self, ledger: RequestLedger, incoming: Incoming) -> Claim | None:
        """The message's claim, its epoch one higher than its crashes; None for one that is trusted.

        After each time that it was cleared there is a claim of another name, which starts anew.
        Raises RequestInProgress and Unavailable.
        """
        digest = hashlib.sha256(f"{incoming.message_id}\0".encode() + incoming.body).digest()
        for cleared in range(MAX_CLEARED):
            proposal = self._proposal(digest, f"{digest.hex()}.{cleared}")
            with contextlib.suppress(Gone):
                claim = await ledger.claim(proposal, self._clock.now(), LEASE_SECONDS)
                if isinstance(claim, Claim):
                    return claim
        return None

    def _proposal(self, digest: bytes, name: str) -> Claim:
        now = int(self._clock.now())
        return Claim(
            token_id="",
            issued_at=now,
            expires_at=now,
            key_id=None,
            entropy=b"",
            fingerprint=digest,
            scope=SCOPE,
            request_id=name,
            owner=secrets.token_hex(16),
        )

    async def _clear(self, ledger: RequestLedger, claim: Claim) -> None:
        """It ended without a crash, so none counts against it any more."""
        until = self._clock.now() + CLEARED_SECONDS
        with contextlib.suppress(RemintError):
            await ledger.commit(claim, None, _CLEARED, until)

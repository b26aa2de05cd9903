"""A request's claim, from taking it to settling it, whatever happens to the store's replies.

A write whose reply was lost is neither done nor failed: its outcome is unknown. The ledger is asked
what became of it before anything else is done. What may be asked twice is safe to ask twice: a
claim knows its owner, which is one attempt, and a commit is fenced by the claim's epoch and owner.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

from broker.errors import (
    ClaimLost,
    NotReady,
    OutcomeUnknown,
    Refusal,
    RequestInProgress,
    Unavailable,
)
from broker.failures import failure_of
from broker.model import Announcement, Answer, Claim, TokenRecord
from broker.ports import Clock, RequestLedger

T = TypeVar("T")

LEASE_SECONDS = 5.0
CLAIM_WAIT_SECONDS = (
    6.0  # longer than a lease: the request of a dead owner is taken over, not refused
)
RENEW_SECONDS = LEASE_SECONDS / 3
POLL_SECONDS = 0.05
RECOVERY_SECONDS = 2.0
"""For how long an attempt asks what became of its commit, if its deadline leaves it that."""


class Asked(Protocol):
    """What the answer to a claim answers: a request, or a batch."""

    @property
    def instance(self) -> str: ...

    @property
    def deadline(self) -> float | None:
        """In seconds since the epoch."""

    @property
    def reply_key(self) -> Mapping[str, Any] | None: ...


@dataclass(slots=True)
class Hold:
    """A claim while it is worked on, as it stands; ``lost`` once another worker has it."""

    claim: Claim
    lost: bool = False

    def still_ours(self) -> None:
        """Raises ClaimLost."""
        if self.lost:
            raise ClaimLost("another worker took this request over")


class Claims:
    """The ledger, for one worker. ``owner`` is its name; each attempt gets one of its own."""

    def __init__(
        self,
        *,
        ledger: RequestLedger,
        clock: Clock,
        owner: str,
        answer_refusal: Callable[[Exception], Answer],
        answers_ttl_seconds: float,
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._owner = owner
        self._attempts = itertools.count(1)
        self._answer_refusal = answer_refusal
        self._answers_ttl_seconds = answers_ttl_seconds

    def owner(self) -> str:
        """The name of one more attempt, for the proposal that it makes."""
        return f"{self._owner}/{next(self._attempts)}"

    async def take(
        self, proposal: Claim, quota: int | None, quota_scope: str | None = None
    ) -> Claim | Answer:
        """The claim, once it is ours, or the stored answer; waits while another owner is at it.

        ``quota`` new claims of one ``quota_scope`` (None: the claim's own) are allowed in a window.

        Raises RequestConflict, Gone, TooManyAttempts, RequestInProgress, Unavailable.
        """
        waited = 0.0
        while True:
            try:
                return _in_time(await self._asked(proposal, quota, quota_scope), proposal)
            except RequestInProgress:
                if waited >= CLAIM_WAIT_SECONDS:
                    raise
            await asyncio.sleep(POLL_SECONDS)
            waited += POLL_SECONDS

    async def fetched(self, claim: Claim) -> Answer | None:
        """The stored answer of a request that nobody here has claimed yet."""
        return await self._read(claim) if claim.stored and not claim.held else None

    async def answer(self, scope: str, request_id: str) -> Answer | None:
        """The stored answer of any request; None where there is none (yet). Raises Gone."""
        return await self._ledger.fetch(scope, request_id, self._clock.now())

    async def give_up(self, claim: Claim) -> None:
        """Leave a request open for the next attempt, which then need not wait."""
        with contextlib.suppress(Unavailable):  # the lease ends by itself
            await self._ledger.release(claim)

    @contextlib.asynccontextmanager
    async def kept(self, claim: Claim) -> AsyncIterator[Hold]:
        """Work that may take longer than a lease: it is renewed until the work ends."""
        hold = Hold(claim)
        if not claim.held:
            yield hold
            return
        renewing = asyncio.create_task(self._renew(hold))
        try:
            yield hold
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)

    async def _renew(self, hold: Hold) -> None:
        """A claim is asked for again by its owner, which makes its lease longer."""
        while not hold.lost:
            await asyncio.sleep(RENEW_SECONDS)
            now = self._clock.now()
            try:
                claimed = await self._ledger.claim(hold.claim, now, LEASE_SECONDS)
            except (Refusal, RequestInProgress):
                hold.lost = True
            except Unavailable:
                continue
            else:
                if isinstance(claimed, Answer):
                    hold.lost = True
                else:
                    hold.claim = claimed

    async def commit(
        self,
        claim: Claim,
        record: TokenRecord | None,
        answer: Answer,
        asked: Asked,
        announcement: Announcement | None = None,
    ) -> Answer:
        """Keep record and answer. Returns the answer that stands: this one, or that of another
        attempt which was faster while the outcome of this one was unknown.

        Raises ClaimLost, OutcomeUnknown, Conflict; and Unavailable for a claim without an id,
        under which nothing can be looked up.
        """
        if answer.instance != asked.instance or answer.reply_key != asked.reply_key:
            answer = replace(answer, instance=asked.instance, reply_key=asked.reply_key)
        until = self._clock.now() + self._answers_ttl_seconds
        try:
            await self._ledger.commit(claim, record, answer, until, announcement)
            return answer
        except ClaimLost:
            raise
        except Unavailable as error:
            if not claim.stored:
                raise
            unknown = error

        async def write() -> Answer:
            await self._ledger.commit(claim, record, answer, until, announcement)
            return answer

        left = self._left(asked.deadline)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(left):
                return await self._recovered(claim, write)
        raise OutcomeUnknown(
            "the store did not confirm the answer; ask again with the same id",
            detail=unknown.detail,
        ) from unknown

    def worked(self, claim: Claim, asked: Asked, work: Awaitable[T]) -> Awaitable[T]:
        """The result of ``work`` under a claim.

        If it fails for good, that is stored as the answer; if it may succeed later, the request is
        left open for the next attempt. Nothing is settled where the ledger does not have the claim.
        """
        return self._settled(claim, asked, work) if claim.held else work

    async def _settled(self, claim: Claim, asked: Asked, work: Awaitable[T]) -> T:
        try:
            return await work
        except Refusal as refusal:
            answer = self._answer_refusal(refusal)
            # The administrator's next step puts it there, and then the same request succeeds.
            if not answer.final or isinstance(refusal, NotReady):
                await self.give_up(claim)
            elif await self.commit(claim, None, answer, asked) != answer:
                raise ClaimLost("another worker took this request over") from refusal
            raise
        except (ClaimLost, OutcomeUnknown):
            raise
        except BaseException as error:
            failure_of(error)  # a cancelled task leaves its claim to the lease
            await self.give_up(claim)
            raise

    async def _asked(
        self, proposal: Claim, quota: int | None, quota_scope: str | None
    ) -> Claim | Answer:
        """Ask once more if the outcome is unknown: the claim may have been made, and is ours."""
        now = self._clock.now()
        try:
            return await self._ledger.claim(proposal, now, LEASE_SECONDS, quota, quota_scope)
        except RequestInProgress:
            raise
        except Unavailable:
            await asyncio.sleep(POLL_SECONDS)
        now = self._clock.now()
        return await self._ledger.claim(proposal, now, LEASE_SECONDS, quota, quota_scope)

    async def _recovered(self, claim: Claim, write: Callable[[], Awaitable[Answer]]) -> Answer:
        """Ask until the store answers; commit again if it did not get the first one."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            try:
                return await self._read_or(claim, write)
            except ClaimLost:
                raise
            except Unavailable:
                continue

    async def _read_or(self, claim: Claim, write: Callable[[], Awaitable[Answer]]) -> Answer:
        answer = await self._read(claim)
        if answer is not None:
            return answer
        try:
            return await write()
        except ClaimLost:
            # The first one came after all, or another attempt took over.
            answer = await self._read(claim)
            if answer is None:
                raise
            return answer

    async def _read(self, claim: Claim) -> Answer | None:
        return await self._ledger.fetch(
            claim.scope or "", claim.request_id or "", self._clock.now(), claim.fingerprint
        )

    def _left(self, deadline: float | None) -> float:
        if deadline is None:
            return RECOVERY_SECONDS
        return max(0.0, min(RECOVERY_SECONDS, deadline - self._clock.now()))


def _in_time(claimed: Claim | Answer, proposal: Claim) -> Claim | Answer:
    """A claim that was left so long ago that its token has expired gets times and key of today.

    It was never committed, so nobody has that token; its id stays.
    """
    if isinstance(claimed, Answer) or claimed.expires_at > proposal.issued_at:
        return claimed
    return replace(
        claimed,
        issued_at=proposal.issued_at,
        expires_at=proposal.expires_at,
        key_id=proposal.key_id,
    )

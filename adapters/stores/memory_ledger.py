"""The request ledger of one process."""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from adapters.stores import ABANDONED_CLAIM_SECONDS, TOMBSTONE_SECONDS
from adapters.stores.memory_outbox import MemoryOutbox
from broker.errors import ClaimLost, Conflict, Gone, RequestConflict, RequestInProgress
from broker.idempotency import over_quota, window_end
from broker.model import Announcement, Answer, Claim, TokenRecord


@dataclass(slots=True)
class _Request:
    """A request in the ledger. Open while ``answer_until`` is None; gone once ``answer`` is."""

    claim: Claim
    lease_until: float
    forget_at: float
    answer: Answer | None = None
    answer_until: float | None = None

    @property
    def done(self) -> bool:
        return self.answer_until is not None


class MemoryLedger:
    """RequestLedger."""

    def __init__(self, records: dict[str, TokenRecord], outbox: MemoryOutbox) -> None:
        self._records = records
        self._outbox = outbox
        self._requests: dict[tuple[str | None, str | None], _Request] = {}
        self._counted: dict[tuple[str | None, int], int] = {}

    async def claim(
        self,
        proposal: Claim,
        now: float,
        lease_seconds: float,
        quota: int | None = None,
        quota_scope: str | None = None,
    ) -> Claim | Answer:
        if not proposal.stored:
            return proposal
        key = (proposal.scope, proposal.request_id)
        lease_until = now + lease_seconds
        forget_at = lease_until + ABANDONED_CLAIM_SECONDS
        request = self._requests.get(key)
        if request is None:
            self._count(quota_scope or proposal.scope, now, quota)
            first = _held_by(proposal, proposal.owner, 1)
            self._requests[key] = _Request(first, lease_until, forget_at)
            return first
        _same_request(request.claim, proposal.fingerprint)
        if request.answer_until is not None:
            if request.answer is None or request.answer_until <= now:
                raise Gone("the answer to this request is not kept any more")
            return request.answer
        # A lease from beyond one lease's length means that the clock went back.
        earlier = request.claim
        if now < request.lease_until <= lease_until:
            if earlier.owner != proposal.owner:
                raise RequestInProgress("this request is being worked on")
            request.lease_until, request.forget_at = lease_until, forget_at
            return earlier
        request.claim = _held_by(earlier, proposal.owner, earlier.epoch + 1)
        request.lease_until, request.forget_at = lease_until, forget_at
        return request.claim

    async def commit(
        self,
        claim: Claim,
        record: TokenRecord | None,
        answer: Answer,
        answer_until: float,
        announcement: Announcement | None = None,
    ) -> None:
        request = None
        if claim.stored:
            request = self._held(claim)
            if request is None:
                raise ClaimLost("another worker took this request over")
        if record is not None:
            known = self._records.setdefault(record.alias, record)
            if known.token_id != record.token_id:
                raise Conflict("another token has this id", detail=f"alias {record.alias}")
            if request is not None and known is not record:
                self._records[record.alias] = record
        if request is not None:
            request.answer, request.answer_until = answer, answer_until
            request.forget_at = max(answer_until + TOMBSTONE_SECONDS, answer.expires_at or 0)
        self._outbox.put(announcement)

    async def release(self, claim: Claim) -> None:
        request = self._held(claim)
        if request is not None:
            request.lease_until = 0.0

    async def fetch(
        self, scope: str, request_id: str, now: float, fingerprint: bytes | None = None
    ) -> Answer | None:
        request = self._requests.get((scope, request_id))
        if request is None:
            return None
        if fingerprint is not None:
            _same_request(request.claim, fingerprint)
        if request.answer_until is None:
            return None
        if request.answer is None or request.answer_until <= now:
            raise Gone("the answer to this request is not kept any more")
        return request.answer

    async def reap(self, now: float) -> int:
        for window in [window for window in self._counted if window[1] <= now]:
            del self._counted[window]
        changed = 0
        for key, request in list(self._requests.items()):
            if request.forget_at <= now:
                del self._requests[key]
                changed += 1
            elif (
                request.answer is not None
                and request.answer_until is not None
                and request.answer_until <= now
            ):
                request.answer = None
                changed += 1
        return changed

    def _held(self, claim: Claim) -> _Request | None:
        """The open request that ``claim`` still holds."""
        request = self._requests.get((claim.scope, claim.request_id))
        if request is None or request.done:
            return None
        known = request.claim
        return request if (known.epoch, known.owner) == (claim.epoch, claim.owner) else None

    def _count(self, scope: str | None, now: float, quota: int | None) -> None:
        """One more new request of the scope; raises TooManyAttempts if it has had its share."""
        if quota is None:
            return
        window = (scope, window_end(now))
        used = self._counted.get(window, 0)
        if used >= quota:
            raise over_quota(now)
        self._counted[window] = used + 1


def _held_by(claim: Claim, owner: str, epoch: int) -> Claim:
    """A third of what ``dataclasses.replace`` takes."""
    return Claim(
        claim.token_id,
        claim.issued_at,
        claim.expires_at,
        claim.key_id,
        claim.entropy,
        claim.fingerprint,
        claim.scope,
        claim.request_id,
        owner,
        epoch,
    )


def _same_request(claim: Claim, fingerprint: bytes) -> None:
    if not hmac.compare_digest(claim.fingerprint, fingerprint):
        raise RequestConflict("this request id was used for a different request")

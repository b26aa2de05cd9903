"""Many translations under one id, each of which succeeds or fails by itself.

A part of a batch is a request of its own, under the batch's id and its index
(``idempotency.stored_id``): it is claimed, audited, committed and announced like any other. So a
batch that was cut short is simply worked on again, and what was done is answered from the ledger.

The batch itself is a request too. What is stored of its answer is the refusals; a token stands with
its part already. A part whose failure may pass leaves the batch open: asking again with the same id
does the rest.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from broker import idempotency, policy
from broker.batch import OPERATION, BatchRequest, Shared
from broker.claiming import Claims, Hold
from broker.errors import Gone, NotReady, Refusal, Unavailable
from broker.failures import failure_of
from broker.lanes import in_lanes
from broker.model import Answer, Claim, Secret, TranslationRequest
from broker.ports import Attempt, AuditRecord, Clock, InstanceSource
from broker.value import value

CHUNK = 100
"""After so many parts the batch makes sure that it is still its worker's."""

AT_ONCE = 32
"""Parts that are worked on side by side, so that they share durable steps and leave room in the
queue of the passwords for single requests."""

TRIES = 3
"""How often a part is tried whose failure nobody foresaw."""

KEPT = "batch"
"""The member under which an answer is stored: a refusal's body, or null for a part with a token."""


Translate = Callable[[Attempt, Callable[[], TranslationRequest], Shared, int], Awaitable[Answer]]
"""Phases 3 to 11 of the part with that index. Raises Refusal and Unavailable; either way it leaves
a note for the audit, which is written before the answer of the batch leaves."""


@value
class _Done:
    """How a part ended; not ``settled`` if asking again may change that."""

    answer: Answer
    settled: bool = True


class Batches:
    """Works on batches. ``requests_per_hour`` is how many a known requester may begin."""

    def __init__(
        self,
        *,
        translate: Translate,
        audited: Callable[[Sequence[AuditRecord]], Awaitable[None]],
        end_session: Callable[[Attempt, Secret], Awaitable[None]],
        instances: InstanceSource,
        claims: Claims,
        clock: Clock,
        fingerprint_key: bytes,
        answer_refusal: Callable[[Exception], Answer],
        requests_per_hour: int | None,
    ) -> None:
        self._translate = translate
        self._audited = audited
        self._end_session = end_session
        self._instances = instances
        self._claims = claims
        self._clock = clock
        self._key = fingerprint_key
        self._answer_refusal = answer_refusal
        self._requests_per_hour = requests_per_hour

    async def work(self, attempt: Attempt, decode: Callable[[], BatchRequest]) -> Answer:
        """The answers to all parts, in order, as ``{"results": […]}``.

        Raises Refusal and Unavailable for the batch as a whole; what was done by then is kept.
        """
        attempt.operation = OPERATION
        batch = decode()
        attempt.instance, attempt.requester = batch.instance, batch.requester.id
        attempt.request_id = batch.request_id
        attempt.extra["parts"] = str(len(batch.parts))
        instance = await self._instances.resolve(batch.instance)
        attempt.instance, attempt.realm = instance.id, instance.realm
        policy.may_ask(instance, batch.requester.transport, batch.requester.id)
        proposal = self._propose(batch)
        claim = await self._claim(batch, proposal)
        if isinstance(claim, Answer):
            return await self._replayed(attempt, proposal, claim)
        work = self._worked(attempt, batch, Shared(instance, self._names(batch, claim)), claim)
        done, stands = await self._claims.worked(claim, batch, work)
        if stands is not None:
            return await self._replayed(attempt, proposal, stands)
        return Answer(200, {"results": [part.answer.body for part in done]})

    async def restored(self, scope: str, request_id: str, kept: Answer) -> Answer:
        """A stored answer as it was given. One that is no batch's is as it was stored.

        Raises Gone if a part is not there any more.
        """
        # A token's answer may look like anything; a batch has no token of its own.
        bodies = None if kept.token_id is not None else kept.body.get(KEPT)
        if bodies is None:
            return kept
        results: list[Any] = []
        for start in range(0, len(bodies), CHUNK):
            chunk = enumerate(bodies[start : start + CHUNK], start)
            results += await asyncio.gather(
                *(self._body(scope, index, request_id, body) for index, body in chunk)
            )
        return replace(kept, body={"results": results}, expires_at=None)

    async def _body(
        self, scope: str, index: int, request_id: str, body: Mapping[str, Any] | None
    ) -> Any:
        if body is not None:
            return body
        answer = await self._claims.answer(
            idempotency.part_scope(scope), idempotency.part_id(index, request_id)
        )
        if answer is None:
            raise Gone("a part of this batch's answer is not kept any more")
        return answer.body

    async def _replayed(self, attempt: Attempt, proposal: Claim, kept: Answer) -> Answer:
        attempt.replayed = True
        return await self.restored(proposal.scope or "", proposal.request_id or "", kept)

    def _propose(self, batch: BatchRequest) -> Claim:
        now = int(self._clock.now())
        claim = Claim(token_id="", issued_at=now, expires_at=now, key_id=None, entropy=b"")
        if batch.request_id is None:
            return claim
        tokens = [
            part.request.subject_token.canonical
            for part in batch.parts
            if isinstance(part.request, TranslationRequest)
        ]
        parts = (part.canonical for part in batch.parts)
        return replace(
            claim,
            scope=idempotency.holder(batch.requester, tokens, self._key),
            request_id=batch.request_id,
            fingerprint=idempotency.batch_fingerprint(
                batch.instance, batch.requester, parts, self._key
            ),
            owner=self._claims.owner(),
        )

    def _names(self, batch: BatchRequest, claim: Claim) -> idempotency.Names | None:
        """The names of the parts, where the ledger is to know them."""
        if claim.scope is None:
            return None
        scope = idempotency.part_scope(claim.scope)
        return idempotency.Names(scope, batch.instance, batch.requester.id, self._key)

    async def _claim(self, batch: BatchRequest, proposal: Claim) -> Claim | Answer:
        """A stranger's is stored in the end, if one of its tokens proved good (decision 2)."""
        if not proposal.stored:
            return proposal
        if batch.requester.id is None:
            return await self._claims.fetched(proposal) or proposal
        return await self._claims.take(proposal, self._requests_per_hour)

    async def _worked(
        self, attempt: Attempt, batch: BatchRequest, shared: Shared, claim: Claim
    ) -> tuple[list[_Done], Answer | None]:
        """How the parts ended; and another attempt's answer, if that was faster."""
        policy.within_deadline(batch.deadline, self._clock.now())
        async with self._claims.kept(claim) as hold:
            done = await self._chunks(attempt, batch, shared, hold)
            attempt.extra["issued"] = str(sum(part.answer.status == 200 for part in done))
            settled = all(part.settled for part in done)
            stands = await self._kept(batch, hold.claim, done) if settled else None
            if settled or not claim.stored:
                for session_id in shared.to_end:
                    await self._end_session(attempt, session_id)
            elif claim.held:
                await self._claims.give_up(hold.claim)
        return done, stands

    async def _chunks(
        self, attempt: Attempt, batch: BatchRequest, shared: Shared, hold: Hold
    ) -> list[_Done]:
        done: list[_Done] = []
        for start in range(0, len(batch.parts), CHUNK):
            hold.still_ours()
            chunk = shared.chunk()
            indexes = range(start, min(start + CHUNK, len(batch.parts)))
            part = functools.partial(self._part, attempt, batch, hold.claim.stored, chunk)
            try:
                done += await in_lanes(part, indexes, AT_ONCE, self._clock)
            finally:
                await self._audited(chunk.notes)
        return done

    async def _part(
        self, whole: Attempt, batch: BatchRequest, stored: bool, shared: Shared, index: int
    ) -> _Done:
        """How one part ends. Raises Unavailable where the batch can be asked for again."""
        part = batch.parts[index]
        for _ in range(TRIES):
            attempt = Attempt(
                operation="translate",
                transport=whole.transport,
                started_at=self._clock.now(),
                address=whole.address,
                requester=whole.requester,
                request_id=whole.request_id,
                instance=whole.instance,
                realm=whole.realm,
                extra={"index": str(index)},
            )
            try:
                return _Done(await self._translate(attempt, part.decoded, shared, index))
            except Refusal as refusal:
                answer = self._answer_refusal(refusal)
                return _Done(answer, answer.final and not isinstance(refusal, NotReady))
            except Unavailable as error:
                if stored:
                    raise
                return _Done(self._answer_refusal(error), settled=False)
            except BaseException as error:
                failure = failure_of(error)
        return _Done(self._answer_refusal(failure), settled=False)

    async def _kept(self, batch: BatchRequest, claim: Claim, done: list[_Done]) -> Answer | None:
        """Store an answer that nothing can change; another attempt's where that was faster."""
        if not claim.stored:
            return None
        issued = [part.answer.status == 200 for part in done]
        if not claim.held:
            if not any(issued):
                return None
            # The parts were counted against the quota; there are no more batches than parts.
            taken = await self._claims.take(claim, None)
            if isinstance(taken, Answer):
                return taken
            claim = taken
        bodies = [
            None if token else part.answer.body for token, part in zip(issued, done, strict=True)
        ]
        # Remembered for as long as its tokens live, as their own requests are.
        until = max((part.answer.expires_at or 0 for part in done), default=0)
        answer = Answer(200, {KEPT: bodies}, expires_at=until or None)
        stands = await self._claims.commit(claim, None, answer, batch)
        return None if stands == answer else stands

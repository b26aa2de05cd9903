"""The translation, phase by phase: the only place that orders them.

The numbers are those of the package docstring. Transports do phases 1 to 3 (they hand in the
decoding as a function, so that a request which cannot be decoded is audited like any other) and
phase 12. No validator and no provider can forget a shared step, since none is theirs to call.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from broker import idempotency, policy
from broker.batch import BatchRequest, Shared
from broker.batching import Batches
from broker.claiming import Claims
from broker.errors import (
    ClaimLost,
    InvalidToken,
    NotReady,
    OutcomeUnknown,
    Refusal,
    Unavailable,
)
from broker.events import TokenIssued, TranslationRejected
from broker.family import Family
from broker.interim import Behind, InterimSessions, may_be_asked
from broker.issuing import Issuer, Keep, record_of
from broker.mapping import PlugInMapping
from broker.model import (
    OPENAM,
    Announcement,
    Answer,
    Claim,
    IssuedToken,
    Principal,
    RequestedToken,
    Secret,
    TranslationRequest,
)
from broker.plan import Plan
from broker.ports import (
    Attempt,
    AuditRecord,
    ClaimsMapper,
    Clock,
    EventSink,
    InstanceSource,
    KeySource,
    ReplayCache,
    RequestLedger,
    SessionStore,
    TokenStore,
)
from broker.proposing import Proposals
from broker.registry import Registry
from broker.results import Inquiry, Results
from broker.route import Route, Routes
from broker.trail import AuditTrail

DEFAULT_ANSWERS_TTL_SECONDS = 24 * 3600


class Pipeline:
    """Translates. Every dependency is a keyword; ``broker.testing`` has a fake of each.

    ``answer_refusal`` puts a refusal into the words of the wire, for answers that are stored.
    ``fingerprint_key`` also makes the token ids of requests that have an id. The quotas are numbers
    of new requests with an id in an hour, of one requester and of one subject that strangers show
    tokens of; None is no limit.
    """

    def __init__(
        self,
        *,
        instances: InstanceSource,
        registry: Registry,
        ledger: RequestLedger,
        tokens: TokenStore,
        mapper: ClaimsMapper,
        replays: ReplayCache,
        keys: KeySource,
        sessions: SessionStore,
        trail: AuditTrail,
        events: EventSink,
        clock: Clock,
        fingerprint_key: bytes,
        owner: str,
        answer_refusal: Callable[[Exception], Answer],
        answers_ttl_seconds: float = DEFAULT_ANSWERS_TTL_SECONDS,
        requests_per_hour: int | None = None,
        requests_per_hour_of_strangers: int | None = None,
        entropy: Callable[[int], bytes] = secrets.token_bytes,
        plug_in_mapping: PlugInMapping | None = None,
        interim: InterimSessions | None = None,
        keep: Keep | None = None,
    ) -> None:
        self._instances = instances
        self.registry = registry
        self._routes = Routes(registry)
        self._claims = Claims(
            ledger=ledger,
            clock=clock,
            owner=owner,
            answer_refusal=answer_refusal,
            answers_ttl_seconds=answers_ttl_seconds,
        )
        self._family = Family(instances=instances, tokens=tokens, keys=keys, inputs=registry.inputs)
        self._issuer = Issuer(mapper=mapper, replays=replays, keys=keys, plug_ins=plug_in_mapping)
        self._proposals = Proposals(
            keys=keys,
            clock=clock,
            fingerprint_key=fingerprint_key,
            owner=self._claims.owner,
            entropy=entropy,
        )
        self._sessions = sessions
        self._interim = interim
        self._keep = keep
        self._trail = trail
        self._events = events
        self._clock = clock
        self._fingerprint_key = fingerprint_key
        self._requests_per_hour = requests_per_hour
        self._requests_per_hour_of_strangers = requests_per_hour_of_strangers
        self._batches = Batches(
            translate=self._translate_part,
            audited=trail.written,
            end_session=self._end,
            instances=instances,
            claims=self._claims,
            clock=clock,
            fingerprint_key=fingerprint_key,
            answer_refusal=answer_refusal,
            requests_per_hour=requests_per_hour,
        )
        self._results = Results(
            claims=self._claims,
            batches=self._batches,
            instances=instances,
            fingerprint_key=fingerprint_key,
        )

    async def translate(self, attempt: Attempt, decode: Callable[[], TranslationRequest]) -> Answer:
        """The answer to one request; a refusal that was stored is an answer too.

        Raises Refusal and Unavailable. Whichever way it ends, the attempt has been audited (11).
        """
        return await self._recorded(attempt, self._translate(attempt, decode))

    async def translate_batch(self, attempt: Attempt, decode: Callable[[], BatchRequest]) -> Answer:
        """The answers to many requests, in order (``broker.batching``); audited one by one, and
        as a whole.

        Raises Refusal and Unavailable for the batch as a whole.
        """
        return await self._recorded(attempt, self._batches.work(attempt, decode))

    async def stored_answer(self, attempt: Attempt, decode: Callable[[], Inquiry]) -> Answer:
        """The answer to an earlier request (``broker.results``); audited.

        Raises NotFound, Gone, AccessDenied, Forbidden, Conflict and Unavailable.
        """
        return await self._trail.recorded(attempt, self._results.find(attempt, decode))

    async def rejected(self, attempt: Attempt, refusal: Refusal) -> None:
        """Announce a refusal; for those that a transport makes before it comes here."""
        await self._events.publish(
            TranslationRejected(
                at=self._clock.now(),
                realm=attempt.realm or "/",
                instance=attempt.instance or "",
                reason=type(refusal).__name__,
            )
        )

    async def _recorded(
        self, attempt: Attempt, work: Awaitable[Answer], notes: list[AuditRecord] | None = None
    ) -> Answer:
        try:
            return await self._trail.recorded(attempt, work, notes)
        except Refusal as refusal:
            await self.rejected(attempt, refusal)
            raise

    def _translate_part(
        self, attempt: Attempt, decode: Callable[[], TranslationRequest], shared: Shared, index: int
    ) -> Awaitable[Answer]:
        work = self._translate(attempt, decode, shared, index)
        return self._recorded(attempt, work, shared.notes)

    async def _translate(
        self,
        attempt: Attempt,
        decode: Callable[[], TranslationRequest],
        shared: Shared | None = None,
        index: int = 0,
    ) -> Answer:
        # 3. Decode, once.
        request = decode()
        _note_request(attempt, request)
        # 4. Resolve the instance; decide what can be decided without touching the token.
        plan = await self._resolve(attempt, request, shared, index)
        # 5. Claim: token id, iat, exp and key are fixed here, or the answer is known already.
        claim = await self._claim(plan)
        if isinstance(claim, Answer):
            return await self._known(attempt, plan, claim)
        # 6 to 10. Validate, map, spend, issue, commit.
        if claim.stored and not claim.held:
            return await self._worked_for_stranger(attempt, plan, claim)
        return await self._claims.worked(claim, request, self._worked(attempt, plan, claim))

    async def _worked(self, attempt: Attempt, plan: Plan, claim: Claim) -> Answer:
        principal = await self._validate(attempt, plan)
        return await self._fulfil(attempt, plan, claim, principal)

    async def _worked_for_stranger(self, attempt: Attempt, plan: Plan, claim: Claim) -> Answer:
        """The claim is stored once the token proved good."""
        try:
            principal = await self._validate(attempt, plan)
        except InvalidToken:
            # Another attempt may have been answered meanwhile, and have ended the session.
            answer = await self._claims.fetched(claim)
            if answer is None:
                raise
            return await self._known(attempt, plan, answer)
        counted = idempotency.quota_scope(principal, self._fingerprint_key)
        taken = await self._claims.take(claim, self._requests_per_hour_of_strangers, counted)
        if isinstance(taken, Answer):
            return await self._known(attempt, plan, taken)
        fulfilling = self._fulfil(attempt, plan, taken, principal)
        return await self._claims.worked(taken, plan.request, fulfilling)

    async def _resolve(
        self, attempt: Attempt, request: TranslationRequest, shared: Shared | None, index: int
    ) -> Plan:
        if shared is None:
            instance = await self._instances.resolve(request.instance)
        else:
            instance = shared.instance
        attempt.instance, attempt.realm = instance.id, instance.realm
        policy.may_ask(instance, request.requester.transport, request.requester.id)
        given, wanted = request.subject_token, request.requested_token
        route = self._routes.route(instance, given.type, wanted.type)
        credential = route.validator.parse(given)
        options = _options(route, wanted, shared)
        return Plan(request, route, credential, options, shared, index)

    async def _claim(self, plan: Plan) -> Claim | Answer:
        """The claim of a known requester. A stranger's is not stored before the token validated,
        or anybody could fill the ledger; what is fixed in it stays fixed all the same."""
        proposal = self._proposals.proposal(plan)
        if not proposal.stored:
            return proposal
        if plan.request.requester.id is None:
            return await self._claims.fetched(proposal) or proposal
        return await self._claims.take(proposal, self._requests_per_hour)

    async def _validate(self, attempt: Attempt, plan: Plan) -> Principal:
        now = self._clock.now()
        policy.within_deadline(plan.request.deadline, now)
        if plan.shared is None:
            principal = await plan.validated(now)
        else:
            given, validated = plan.request.subject_token, plan.shared.validated
            principal = await validated.principal(given, plan.validated, self._clock)
        attempt.principal = principal.account
        if principal.vouched_by:
            attempt.extra["vouched_by"] = principal.vouched_by
        if principal.parent is not None and not await self._family.has(principal.parent):
            raise InvalidToken(
                "this token was taken back, or one it was issued from", detail="its parent is gone"
            )
        return principal

    def _fulfil(
        self, attempt: Attempt, plan: Plan, claim: Claim, principal: Principal
    ) -> Awaitable[Answer]:
        """Phases 7 to 10."""
        if self._interim is None or not may_be_asked(plan):
            return self._issued(attempt, plan, claim, principal)
        return self._issued_with(self._interim, attempt, plan, claim, principal)

    async def _issued_with(
        self,
        sessions: InterimSessions,
        attempt: Attempt,
        plan: Plan,
        claim: Claim,
        principal: Principal,
    ) -> Answer:
        """With a session at hand for plug-ins. One that was opened for them stays only with a token
        of a transform that leaves sessions standing, and for whoever took over."""
        behind = Behind(sessions, principal, claim.token_id)
        stays, stays_with_token = False, not plan.route.transform.invalidate_session
        try:
            lent = replace(principal, behind=behind)
            answer = await self._issued(attempt, plan, claim, lent)
            stays = stays_with_token and answer.status == 200
            return answer
        except ClaimLost:
            stays = True
            raise
        except OutcomeUnknown:
            stays = stays_with_token
            raise
        finally:
            await _noting(attempt, behind.settle(stays=stays))

    async def _issued(
        self, attempt: Attempt, plan: Plan, claim: Claim, principal: Principal
    ) -> Answer:
        attempt.token_id, attempt.key_id = claim.token_id, claim.key_id
        try:
            policy.same_realm(principal, plan.instance)
            expires_at = policy.expiry(claim.expires_at, principal, self._clock.now())
            # 7 to 9. Map, spend a one-time token, issue.
            claim, issued = await self._issuer.issue(plan, claim, principal, expires_at)
            attempt.key_id = claim.key_id
            attempt.token_alias, attempt.digest = issued.alias, issued.digest.hex()
            # 10. Commit, one atomic and durable step.
            answer = Answer(
                200,
                issued.body,
                issued.token_id,
                expires_at,
                plan.request.instance,
                plan.request.reply_key,
            )
            announcement = self._announcement(plan, claim, principal, issued, expires_at)
            stands = await self._commit(plan, claim, principal, issued, answer, announcement)
        except NotReady:
            raise  # a retry succeeds once the key or plug-in is there, and needs the session
        except Refusal:
            await self._end_session(attempt, plan, principal)
            raise
        if plan.route.transform.invalidate_session:
            await self._end_session(attempt, plan, principal)
        if stands is not answer and stands != answer:
            attempt.token_alias = attempt.digest = None
            return _replayed(attempt, stands)
        if plan.route.terms.persists:
            attempt.extra["kept_until"] = str(expires_at)
        self._events.announce(announcement)
        return answer

    def _announcement(
        self,
        plan: Plan,
        claim: Claim,
        principal: Principal,
        issued: IssuedToken,
        expires_at: int,
    ) -> Announcement | None:
        if not self._events.listening:
            return None
        event = TokenIssued(
            at=self._clock.now(),
            realm=plan.route.instance.realm,
            instance=plan.route.instance.id,
            token_id=issued.token_id,
            token_type=issued.type,
            digest=issued.digest.hex(),
            principal=principal.account,
            expires_at=expires_at,
        )
        return self._events.prepare(
            event,
            request=(claim.scope or "", claim.request_id or "") if claim.stored else None,
            alias=issued.alias,
            trace=plan.request.trace,
        )

    async def _end_session(self, attempt: Attempt, plan: Plan, principal: Principal) -> None:
        """End the session behind the token, where the transform asks for it and all is settled.

        After a failure that may pass the session stays: the retry needs it. A session that cannot
        be ended is noted and runs out; the answer is not held back for it.
        """
        if not plan.route.transform.invalidate_session or principal.session_id is None:
            return
        if plan.shared is not None:
            plan.shared.to_end.add(principal.session_id)  # other parts may show it too
        else:
            await self._end(attempt, principal.session_id)

    async def _end(self, attempt: Attempt, session_id: Secret) -> None:
        await _noting(attempt, self._sessions.end(session_id))

    async def _known(self, attempt: Attempt, plan: Plan, answer: Answer) -> Answer:
        """The answer of an earlier attempt, which may have died before it ended the session that
        came in, or at a part of a batch that stayed open: so that is asked for once more."""
        given = plan.request.subject_token.type
        ends = plan.route.transform.invalidate_session and given == OPENAM
        if ends and plan.shared is not None:
            plan.shared.to_end.add(plan.credential)
        elif ends:
            await self._end(attempt, plan.credential)
        return _replayed(attempt, answer)

    async def _commit(
        self,
        plan: Plan,
        claim: Claim,
        principal: Principal,
        issued: IssuedToken,
        answer: Answer,
        announcement: Announcement | None,
    ) -> Answer:
        """The answer that stands: this one, unless another attempt was faster."""
        record = None
        if plan.route.terms.persists:
            record = record_of(plan, claim, principal, issued, answer, self._keep)
        if record is None and not claim.stored and announcement is None:
            return answer
        return await self._claims.commit(claim, record, answer, plan.request, announcement)


def _options(route: Route, wanted: RequestedToken, shared: Shared | None) -> Any:
    """What was asked for, typed. Parts that ask in equal words share it, if no plug-in has it."""
    if shared is None or route.plugged or not wanted.canonical:
        return route.provider.parse(wanted, route.instance)
    key = route, wanted.canonical
    if key not in shared.options:
        shared.options[key] = route.provider.parse(wanted, route.instance)
    return shared.options[key]


async def _noting(attempt: Attempt, ending: Awaitable[object]) -> None:
    """A session that cannot be ended is noted, and runs out by itself."""
    try:
        await ending
    except Unavailable:
        attempt.extra["session"] = "not ended"


def _replayed(attempt: Attempt, answer: Answer) -> Answer:
    attempt.replayed = True
    attempt.token_id = answer.token_id
    attempt.extra["answer"] = str(answer.status)
    return answer


def _note_request(attempt: Attempt, request: TranslationRequest) -> None:
    attempt.instance = request.instance
    attempt.requester = request.requester.id
    attempt.request_id = request.request_id
    attempt.input_type = policy.shown(request.subject_token.type)
    attempt.output_type = policy.shown(request.requested_token.type)

"""How a translation ends when something fails on the way: what is stored, what is left alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from broker.errors import AuthenticationFailed, ClaimLost, InvalidToken, Refusal, Unavailable
from broker.instance import Instance, SigningKey, Transform
from broker.model import (
    Answer,
    IssuedToken,
    Principal,
    ReceivedToken,
    RequestedToken,
    Requester,
    Secret,
    TokenType,
    TranslationRequest,
    VerifiedClaims,
)
from broker.pipeline import Pipeline
from broker.ports import Attempt, IssueOrder, TokenName
from broker.registry import Registry
from broker.testing import FrozenClock, RecordingAuditSink, RecordingEventSink
from broker.trail import AuditTrail

IN, OUT = TokenType("IN"), TokenType("OUT")
SESSION = Secret("session-1")


@dataclass
class World:
    """The outside of one pipeline: each part can be told to fail."""

    store: Any
    validating: list[Exception] = field(default_factory=list)
    committing: list[Exception] = field(default_factory=list)
    ending: list[Exception] = field(default_factory=list)
    ended: list[Secret] = field(default_factory=list)
    clock: FrozenClock = field(default_factory=FrozenClock)
    audit: RecordingAuditSink = field(default_factory=RecordingAuditSink)

    @property
    def pipeline(self) -> Pipeline:
        return Pipeline(
            instances=self,
            registry=Registry([_Validator(self)], [_Provider()]),
            ledger=_Ledger(self),
            mapper=self,
            replays=self.store.replays,
            keys=self,  # type: ignore[arg-type]  # never asked: nothing is signed
            sessions=self,  # type: ignore[arg-type]  # only end() is used
            trail=AuditTrail(self.audit, self.clock),
            events=RecordingEventSink(),
            clock=self.clock,
            fingerprint_key=b"k" * 32,
            owner="worker-1",
            answer_refusal=lambda refusal: Answer(401, {"message": refusal.sentence}),
        )

    async def resolve(self, instance: str) -> Instance:
        return Instance("/", instance, (Transform(IN, OUT, invalidate_session=True),))

    async def map(self, principal: Principal, claim_map: Mapping[str, str]) -> VerifiedClaims:
        return VerifiedClaims({})

    async def end(self, session_id: Secret) -> bool:
        if self.ending:
            raise self.ending.pop(0)
        self.ended.append(session_id)
        return True

    async def ask(self, requester: str | None = "alice", request_id: str = "r-1") -> Answer:
        request = TranslationRequest(
            instance="i",
            subject_token=ReceivedToken(IN, {}, b"in"),
            requested_token=RequestedToken(OUT, {}, b"out"),
            requester=Requester("test", id=requester),
            request_id=request_id,
        )
        attempt = Attempt("translate", "test", self.clock.now())
        return await self.pipeline.translate(attempt, lambda: request)


@dataclass
class _Validator:
    world: World
    token_type = IN

    def parse(self, token: ReceivedToken) -> Any:
        return token

    async def validate(self, credential: Any, instance: Instance, now: float) -> Principal:
        if self.world.validating:
            raise self.world.validating.pop(0)
        if self.world.ended:
            raise InvalidToken("the session has ended")
        return Principal("demo", "/", IN, int(now), session_id=SESSION)


class _Provider:
    token_type = OUT

    def parse(self, requested: RequestedToken, instance: Instance) -> Any:
        return None

    def token_id(self, entropy: bytes) -> str:
        return entropy.hex()[:16]

    def lifetime_seconds(self, instance: Instance) -> int:
        return 600

    def signing_key(self, instance: Instance) -> SigningKey | None:
        return None

    def claim_map(self, instance: Instance) -> Mapping[str, str]:
        return {}

    def persists(self, instance: Instance) -> bool:
        return True

    async def issue(self, order: IssueOrder) -> IssuedToken:
        token = order.claim.token_id
        return IssuedToken(OUT, token, token, b"digest", {"issued_token": token})

    def name(self, state: Mapping[str, Any]) -> TokenName:
        raise NotImplementedError


@dataclass
class _Ledger:
    """The store's own, with a commit that can fail."""

    world: World

    def __getattr__(self, name: str) -> Any:
        return getattr(self.world.store.ledger, name)

    async def commit(self, *given: Any) -> None:
        if self.world.committing:
            raise self.world.committing.pop(0)
        await self.world.store.ledger.commit(*given)


@pytest.fixture
def world() -> World:
    from adapters.stores.memory import open_memory

    return World(open_memory())


@pytest.mark.parametrize("failure", [Unavailable("down"), ClaimLost("taken"), OSError()])
async def test_a_failure_that_may_pass_leaves_the_session_for_the_retry(
    world: World, failure: Exception
) -> None:
    """If the commit could not be made, the session stands, and the retry gets the token."""
    world.committing.append(failure)
    with pytest.raises(type(failure)):
        await world.ask()
    assert world.ended == []
    world.clock.advance(10)
    answer = await world.ask()
    assert answer.status == 200
    assert world.ended == [SESSION]
    assert (await world.ask()).body == answer.body


async def test_a_session_that_cannot_be_ended_holds_no_answer_back(world: World) -> None:
    """The token was committed, so it is handed out; the audit says that the session stands."""
    world.ending.append(Unavailable("down"))
    assert (await world.ask()).status == 200
    assert world.audit.records[-1].attempt.extra["session"] == "not ended"


async def test_a_refused_requester_is_told_the_same_again(world: World) -> None:
    """The refusal of a known requester is stored; that of a stranger is not."""
    world.validating += [AuthenticationFailed("no"), AuthenticationFailed("no")]
    with pytest.raises(Refusal):
        await world.ask("alice")
    assert (await world.ask("alice")).status == 401
    with pytest.raises(Refusal):
        await world.ask(None)
    assert (await world.ask(None)).status == 200


async def test_a_stranger_whose_session_was_spent_meanwhile_gets_the_answer(world: World) -> None:
    """Two attempts of one stranger at once: the slower one finds the session ended, and the
    answer of the faster one in its place."""
    first = await world.ask(None)
    original = world.store.ledger.fetch
    calls = 0

    async def late(*given: Any) -> Answer | None:
        nonlocal calls
        calls += 1
        found: Answer | None = await original(*given)
        return None if calls == 1 else found

    world.store = _Replaced(world.store, late)
    again = await world.ask(None)
    assert (again.status, again.body) == (200, first.body)
    assert calls == 2


@dataclass
class _Replaced:
    """The same stores, with another ``fetch``."""

    stores: Any
    fetch: Any

    @property
    def ledger(self) -> Any:
        ledger = self.stores.ledger
        ledger.fetch = self.fetch
        return ledger

    @property
    def replays(self) -> Any:
        return self.stores.replays


async def test_a_claim_left_for_long_gives_a_token_of_today(world: World) -> None:
    """A claim whose token would have expired is taken over with its id and the times of now."""
    world.committing.append(Unavailable("down"))
    with pytest.raises(Unavailable):
        await world.ask()
    world.clock.advance(3600)
    answer = await world.ask()
    assert answer.expires_at == int(world.clock.now()) + 600

"""A pipeline whose outside does what a test says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from adapters import codec
from broker.errors import InvalidToken, KeyUnavailable
from broker.instance import Instance, SigningKey, Transform
from broker.model import (
    OPENAM,
    Answer,
    Claim,
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
from broker.ports import Attempt, IssueOrder, Signer, TokenName
from broker.registry import Registry
from broker.testing import FrozenClock, RecordingAuditSink, RecordingEventSink
from broker.trail import AuditTrail

IN, OUT = TokenType("IN"), TokenType("OUT")
SESSION = Secret("session-1")
LIFETIME_SECONDS = 600


@dataclass
class World:
    """The outside of one pipeline: each part can be told to fail.

    Exceptions in ``validating``, ``claiming``, ``committing`` and ``ending`` are raised one after
    the other in place of the work; with ``too_late`` those of the ledger come after the work.
    ``claims`` are those that were won, ``commits`` those that were tried.
    """

    store: Any
    validating: list[Exception] = field(default_factory=list)
    claiming: list[Exception] = field(default_factory=list)
    committing: list[Exception] = field(default_factory=list)
    ending: list[Exception] = field(default_factory=list)
    too_late: bool = False
    claims: list[Claim] = field(default_factory=list)
    commits: int = 0
    ended: list[Secret] = field(default_factory=list)
    keys: FakeKeys | None = None
    on_validate: Any = None
    clock: FrozenClock = field(default_factory=FrozenClock)
    audit: RecordingAuditSink = field(default_factory=RecordingAuditSink)
    events: RecordingEventSink = field(default_factory=RecordingEventSink)
    requests_per_hour: int | None = None
    requests_per_hour_of_strangers: int | None = None
    owner: str = "worker-1"
    sessions_end: bool = True
    subject: str = "demo"

    def __post_init__(self) -> None:
        self.registry = Registry([_Validator(self), _Sessions(self)], [_Provider(self)])
        self.pipeline = Pipeline(
            instances=self,
            registry=self.registry,
            ledger=_Ledger(self),
            tokens=self.store.tokens,
            mapper=self,
            replays=self.store.replays,
            keys=self.keys or FakeKeys(),
            sessions=self,  # type: ignore[arg-type]  # only end() is used
            trail=AuditTrail(self.audit, self.clock),
            events=self.events,
            clock=self.clock,
            fingerprint_key=b"k" * 32,
            owner=self.owner,
            answer_refusal=codec.answer_refusal,
            requests_per_hour=self.requests_per_hour,
            requests_per_hour_of_strangers=self.requests_per_hour_of_strangers,
        )

    async def resolve(self, instance: str) -> Instance:
        return Instance(
            "/",
            instance,
            tuple(Transform(given, OUT, invalidate_session=True) for given in (IN, OPENAM)),
        )

    async def map(self, principal: Principal, claim_map: Mapping[str, str]) -> VerifiedClaims:
        return VerifiedClaims({})

    async def end(self, session_id: Secret) -> bool:
        if self.ending:
            raise self.ending.pop(0)
        if self.sessions_end:
            self.ended.append(session_id)
        return True

    async def ask(
        self,
        requester: str | None = "alice",
        request_id: str | None = "r-1",
        *,
        instance: str = "i",
        token: bytes = b"in",
        deadline: float | None = None,
    ) -> Answer:
        request = TranslationRequest(
            instance=instance,
            subject_token=ReceivedToken(IN, {}, token),
            requested_token=RequestedToken(OUT, {}, b"out"),
            requester=Requester("test", id=requester),
            request_id=request_id,
            deadline=deadline,
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
        if self.world.on_validate is not None:
            await self.world.on_validate()
        if self.world.validating:
            raise self.world.validating.pop(0)
        if self.world.ended:
            raise InvalidToken("the session has ended")
        return Principal(self.world.subject, "/", IN, int(now), session_id=SESSION)


@dataclass
class _Sessions(_Validator):
    """Like the validator of sessions, its credential is the session's id."""

    token_type = OPENAM

    def parse(self, token: ReceivedToken) -> Any:
        return Secret(token.unverified["session_id"])

    async def validate(self, credential: Any, instance: Instance, now: float) -> Principal:
        principal = await super().validate(credential, instance, now)
        return replace(principal, session_id=credential)


@dataclass
class _Provider:
    """Its tokens name the id, the second and the key that they were made with."""

    world: World
    token_type = OUT

    def parse(self, requested: RequestedToken, instance: Instance) -> Any:
        return None

    def token_id(self, entropy: bytes) -> str:
        return entropy.hex()[:16]

    def lifetime_seconds(self, instance: Instance) -> int:
        return LIFETIME_SECONDS

    def signing_key(self, instance: Instance) -> SigningKey | None:
        return None if self.world.keys is None else SigningKey("RS256")

    def claim_map(self, instance: Instance) -> Mapping[str, str]:
        return {}

    def persists(self, instance: Instance) -> bool:
        return True

    async def issue(self, order: IssueOrder) -> IssuedToken:
        claim, signer = order.claim, order.signer
        token = f"{claim.token_id}.{claim.issued_at}.{signer.kid if signer else ''}"
        return IssuedToken(OUT, claim.token_id, token, token.encode(), {"issued_token": token})

    def name(self, state: Mapping[str, Any]) -> TokenName:
        raise NotImplementedError


@dataclass
class FakeKeys:
    """KeySource. ``known`` may sign; the last of them is today's."""

    known: list[str] = field(default_factory=list)
    withdrawn: set[str] = field(default_factory=set)

    def key_id(self, realm: str, key: SigningKey) -> str | None:
        today = [kid for kid in self.known if kid not in self.withdrawn]
        if not today:
            raise KeyUnavailable("this realm has no active key")
        return today[-1]

    def signer(self, realm: str, key: SigningKey, key_id: str | None) -> Signer:
        if key_id not in self.known:
            raise KeyUnavailable("the signing key is not in its realm")
        return _Signer(str(key_id))

    def revoked(self, realm: str, key_id: str) -> bool:
        return key_id in self.withdrawn


@dataclass
class _Signer:
    kid: str
    algorithm: str = "RS256"
    certificate: bytes | None = None
    public_jwk: Mapping[str, str] | None = None

    async def sign(self, data: bytes) -> bytes:
        return data


@dataclass
class _Ledger:
    """The store's own, with a claim and a commit that can fail, or seem to."""

    world: World

    def __getattr__(self, name: str) -> Any:
        return getattr(self.world.store.ledger, name)

    async def claim(self, *given: Any) -> Claim | Answer:
        won: Claim | Answer = await self._done("claim", self.world.claiming, *given)
        if isinstance(won, Claim):
            self.world.claims.append(won)
        return won

    async def commit(self, *given: Any) -> None:
        self.world.commits += 1
        await self._done("commit", self.world.committing, *given)

    async def _done(self, name: str, failures: list[Exception], *given: Any) -> Any:
        failure = failures.pop(0) if failures else None
        result = None
        if failure is None or self.world.too_late:
            result = await getattr(self.world.store.ledger, name)(*given)
        if failure is not None:
            raise failure
        return result

"""What the core asks of the outside, as small Protocols. ``broker.testing`` holds their suites.

Times are seconds since the epoch unless said otherwise. A port that cannot be reached raises
``Unavailable``; it never guesses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from broker.events import Event
from broker.instance import Instance, SigningKey
from broker.model import (
    Announcement,
    Answer,
    Claim,
    InstanceDocument,
    IssuedToken,
    Principal,
    ReceivedToken,
    RequestedToken,
    Secret,
    Session,
    TokenRecord,
    TokenType,
    User,
    VerifiedClaims,
)
from broker.statements import NOTHING_MAPPED, Mapped
from broker.value import value

# -- token types ---------------------------------------------------------------------------------


class TokenValidator(Protocol):
    """Turns a received token of one type into a principal."""

    @property
    def token_type(self) -> TokenType: ...

    def parse(self, token: ReceivedToken) -> Any:
        """The typed credential in ``token``; raises InvalidRequest naming the missing member."""

    async def validate(self, credential: Any, instance: Instance, now: float) -> Principal:
        """Who the credential speaks for; raises one of the InvalidToken family."""


@value
class IssueOrder:
    """All that a provider may use: no clock, and random numbers only to encrypt. ``mapped`` is
    what plug-ins say in the place of its own words."""

    instance: Instance
    principal: Principal
    claims: VerifiedClaims
    options: Any
    claim: Claim
    expires_at: int
    signer: Signer | None
    given: ReceivedToken | None = None
    requested: RequestedToken | None = None
    mapped: Mapped = NOTHING_MAPPED


@value
class TokenName:
    """What a presented token calls itself: where its record is, and the digest it must have."""

    alias: str
    digest: bytes


class TokenProvider(Protocol):
    """Issues tokens of one type."""

    @property
    def token_type(self) -> TokenType: ...

    def parse(self, requested: RequestedToken, instance: Instance) -> Any:
        """The typed options of the request; raises InvalidRequest or CannotIssue."""

    def token_id(self, entropy: bytes) -> str:
        """The id of the token to come, in this type's form, out of ``ENTROPY_BYTES`` bytes."""

    def lifetime_seconds(self, instance: Instance) -> int: ...

    def signing_key(self, instance: Instance) -> SigningKey | None:
        """The key the instance names for this type; None where tokens are not signed."""

    def claim_map(self, instance: Instance) -> Mapping[str, str]:
        """Relying party's name to local attribute, as the instance says."""

    def persists(self, instance: Instance) -> bool:
        """Whether a record of each issued token is kept."""

    async def issue(self, order: IssueOrder) -> IssuedToken: ...

    def name(self, state: Mapping[str, Any]) -> TokenName:
        """Read a token presented for validate or cancel; raises InvalidRequest."""


class ClaimsMapper(Protocol):
    """Puts a principal into the relying party's words."""

    async def map(self, principal: Principal, claim_map: Mapping[str, str]) -> VerifiedClaims: ...


class Authenticator(Protocol):
    """Checks a name and a password."""

    async def authenticate(
        self, realm: str, username: str, password: Secret, address: str | None
    ) -> User:
        """The user; raises AuthenticationFailed after equal work for known and unknown names."""


# -- keys ----------------------------------------------------------------------------------------


class Signer(Protocol):
    """A key, ready: parsed once, used many times."""

    @property
    def kid(self) -> str: ...

    @property
    def algorithm(self) -> str:
        """As RFC 7518 section 3.1 names it."""

    @property
    def certificate(self) -> bytes | None:
        """DER of the key's certificate, for KeyInfo."""

    @property
    def public_jwk(self) -> Mapping[str, str] | None:
        """The public key as RFC 7517 writes it; None for a secret."""

    async def sign(self, data: bytes) -> bytes:
        """The signature in JWS form: EC signatures are r and s side by side (RFC 7518, 3.4)."""


class KeySource(Protocol):
    """Finds the key that an instance names."""

    def key_id(self, realm: str, key: SigningKey) -> str | None:
        """The ``kid`` to fix in a claim, None for a secret; raises KeyUnavailable."""

    def signer(self, realm: str, key: SigningKey, key_id: str | None) -> Signer:
        """The signer of a claimed ``kid``; raises KeyUnavailable."""

    def revoked(self, realm: str, key_id: str) -> bool:
        """True for a compromised key: what it signed is not to be believed any more."""


# -- stores --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TokenQuery:
    """Which records to list: those that match all that is given; None means any.

    ``key_id`` is the ``kid`` that signed, ``parent`` the alias of the record that a token was
    issued from. ``after`` is the last alias of the page before.
    """

    instance: str | None = None
    principal: str | None = None
    realm: str | None = None
    key_id: str | None = None
    parent: str | None = None
    after: str | None = None
    limit: int = 1000


class TokenStore(Protocol):
    """Records of issued tokens. They enter by ``RequestLedger.commit`` alone."""

    async def get(self, alias: str) -> TokenRecord | None: ...

    async def query(self, query: TokenQuery) -> list[TokenRecord]:
        """Records in order of alias, at most ``limit``."""

    async def cancel(self, alias: str, announcement: Announcement | None = None) -> bool:
        """Remove for good; True if it was there. Durable when it returns.

        The announcement is in the outbox if, and only if, this call removed the record.
        """

    async def reap(
        self, now: float, announce: Callable[[TokenRecord], Announcement | None] | None = None
    ) -> list[TokenRecord]:
        """Remove what has expired, once in all, and say what that was.

        A store may stop when it has found many, so it is asked again until it finds none.
        What ``announce`` makes of a record is in the outbox before the record is gone.
        """


class RequestLedger(Protocol):
    """Which request was answered how: the reason why one request id gives one token."""

    async def claim(
        self,
        proposal: Claim,
        now: float,
        lease_seconds: float,
        quota: int | None = None,
        quota_scope: str | None = None,
    ) -> Claim | Answer:
        """One atomic step. The proposal (or its earlier self, epoch raised) if it is ours to do,
        the stored answer if it is done.

        Asked again by the owner that holds it, the claim is given again as it stands: the first
        reply may have been lost. So an owner is one attempt, not one process. ``quota`` (at least
        1) is how many new claims of one ``quota_scope`` (the claim's own scope, where None is
        given) are stored in one window (``idempotency.window_end``); None is no limit.

        Raises RequestConflict (other fingerprint), Gone (answer no longer kept),
        RequestInProgress (another live owner holds it), TooManyAttempts (a new request, over the
        quota; nothing is stored).
        """

    async def commit(
        self,
        claim: Claim,
        record: TokenRecord | None,
        answer: Answer,
        answer_until: float,
        announcement: Announcement | None = None,
    ) -> None:
        """One atomic step, durable when it returns: the token record, the answer if the claim
        is stored, and the announcement in the outbox. The request is then remembered until its
        token has expired, at least.

        Raises ClaimLost if the claim's epoch and owner are not the stored ones. Unavailable means
        that the outcome is unknown: ``fetch`` tells, and the same commit may be tried again."""

    async def release(self, claim: Claim) -> None:
        """Give up a claim without an answer, so that the next attempt need not wait."""

    async def fetch(
        self, scope: str, request_id: str, now: float, fingerprint: bytes | None = None
    ) -> Answer | None:
        """The stored answer, without claiming anything; None where there is none (yet).

        Raises RequestConflict if the id was used under another ``fingerprint`` than the one given,
        and Gone for an answer that is not kept any more.
        """

    async def reap(self, now: float) -> int: ...


class Outbox(Protocol):
    """Announcements of what has happened, from the step in which it did until they are out.

    They get in by the steps of other ports. Whoever made one lets it out and says so with ``done``.
    What is not done when it falls due, since its maker died or could not reach anybody, is taken up
    by any broker.
    """

    async def add(self, announcement: Announcement) -> None:
        """One that is bound to nothing else that is stored. Durable when it returns; the same id
        again changes nothing."""

    async def due(self, now: float, lease_seconds: float, limit: int) -> list[Announcement]:
        """Some that have fallen due, oldest first, and are now due again after the lease."""

    async def done(self, announcements: Sequence[Announcement]) -> None:
        """They are out; forget them. Those that are gone already are no error."""

    async def size(self) -> int:
        """How many are not out yet."""


class Journal(Protocol):
    """The last announcements, in the order in which they came, for those who look on."""

    async def append(self, bodies: Sequence[bytes]) -> None:
        """Add at the end; the oldest go once there are more than the store is told to keep."""

    async def read(self, after: str | None, limit: int) -> list[tuple[str, bytes]]:
        """Position and body of those after a position, oldest first. None means from now on: an
        empty list, or one item with the newest position and an empty body where there is one. A
        position that is gone already means from the oldest."""


class ReplayCache(Protocol):
    """One-time tokens that were spent, and by which request."""

    async def spend(self, token: str, owner: str, until: float) -> bool:
        """True if ``owner`` is the first (or the same) to spend it. Atomic."""

    async def reap(self, now: float) -> int:
        """Forget what was spent and has ended (``until`` <= now); returns how many."""


class SessionStore(Protocol):
    """Sessions, found by their id and kept by its digest."""

    async def put(self, session: Session) -> None: ...

    async def get(self, session_id: Secret) -> Session | None: ...

    async def touch(self, session_id: Secret, now: int) -> None: ...

    async def end(self, session_id: Secret) -> bool: ...

    async def reap(self, now: float) -> int: ...


class InstanceStore(Protocol):
    """Documents of published instances; names are told apart without regard to letter case.

    A change that succeeds has its announcement in the outbox, in the same step.
    """

    async def generation(self) -> int:
        """A number that changes whenever a document does; cheap enough for every request."""

    async def create(
        self, document: InstanceDocument, announcement: Announcement | None = None
    ) -> None:
        """Raises AlreadyPublished."""

    async def replace(
        self,
        document: InstanceDocument,
        expected: str | None,
        announcement: Announcement | None = None,
    ) -> None:
        """Raises UnknownInstance, or PreconditionFailed if ``expected`` is not its revision."""

    async def get(self, instance: str) -> InstanceDocument | None:
        """By id, letter case and all."""

    async def list(self) -> list[InstanceDocument]: ...

    async def delete(
        self, instance: str, expected: str | None, announcement: Announcement | None = None
    ) -> bool:
        """True if it was there; raises PreconditionFailed."""


class ConfigurationStore(Protocol):
    """Small documents that brokers share, such as rings of keys; each is replaced as a whole.

    A document is bytes under a name. A change that succeeds has its announcement in the outbox, in
    the same step. ``generation`` is the same number as that of the
    ``InstanceStore`` beside it: one look tells whether anything published has changed.
    """

    async def generation(self) -> int:
        """A number that changes whenever a document does; cheap enough for every request."""

    async def get(self, name: str) -> bytes | None: ...

    async def swap(
        self,
        name: str,
        expected: bytes | None,
        value: bytes | None,
        announcement: Announcement | None = None,
    ) -> bool:
        """Compare and set, atomic, durable when it returns: True, and ``value`` stands under the
        name, if ``expected`` stood there before. None stands for no document."""

    async def list(self, prefix: str = "") -> dict[str, bytes]:
        """All documents whose names begin with ``prefix``, in order of name."""


class InstanceSource(Protocol):
    """Published instances, compiled."""

    async def resolve(self, instance: str) -> Instance:
        """Raises UnknownInstance."""


class UserStore(Protocol):
    """Local users of a realm."""

    async def get(self, realm: str, name: str) -> User | None: ...

    async def put(self, user: User) -> None:
        """Create or replace."""

    async def create(self, user: User) -> bool:
        """False, and nothing changed, if the name is taken. Atomic."""

    async def delete(self, realm: str, name: str) -> bool: ...

    async def list(self, realm: str) -> list[User]: ...


# -- what has happened, and when -----------------------------------------------------------------


@dataclass(slots=True)
class Attempt:
    """What is known so far of one attempt; it ends as exactly one audit record.

    Never holds a secret: names, ids and digests only. ``started_at`` is seconds since the epoch.
    """

    operation: str
    transport: str
    started_at: float
    address: str | None = None
    requester: str | None = None
    request_id: str | None = None
    instance: str | None = None
    realm: str | None = None
    input_type: str | None = None
    output_type: str | None = None
    principal: str | None = None
    token_id: str | None = None
    token_alias: str | None = None
    digest: str | None = None
    key_id: str | None = None
    replayed: bool = False
    recorded: bool = False
    extra: dict[str, str] = field(default_factory=dict)


@value
class AuditRecord:
    """The end of an attempt: ``outcome`` is ``ok``, ``refused`` or ``failed``."""

    attempt: Attempt
    outcome: str
    error: str | None
    reason: str | None
    ended_at: float


class AuditSink(Protocol):
    """Where attempts are recorded before their answer leaves."""

    async def record(self, record: AuditRecord) -> None:
        """Written when it returns; raises Unavailable if it could not be."""

    async def record_all(self, records: Sequence[AuditRecord]) -> None:
        """In order, written when it returns; raises Unavailable if one could not be."""


class EventSink(Protocol):
    """Where facts are announced: written down with the fact itself, and let out afterwards."""

    @property
    def listening(self) -> bool:
        """False while nobody is to be told of anything; then nothing is worth preparing."""

    def prepare(
        self,
        event: Event,
        *,
        request: tuple[str, str] | None = None,
        alias: str | None = None,
        trace: Mapping[str, str] | None = None,
    ) -> Announcement | None:
        """The announcement to store in the same step as the fact; None where nobody wants one.

        ``request`` is scope and id of the claim that is committed, ``alias`` that of the record.
        """

    def announce(self, announcement: Announcement | None) -> None:
        """The fact stands: let it out. Never waits, never fails; the outbox has it."""

    async def publish(self, event: Event) -> None:
        """Let out at best effort, without the outbox."""


class Clock(Protocol):
    def now(self) -> float:
        """Seconds since the epoch."""

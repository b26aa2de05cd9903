"""The nouns of a translation: what came in, who it speaks for, and what goes out.

Nothing here is ever changed. What a caller sent and nobody has checked yet is a
:class:`ReceivedToken`; only a validator turns it into a :class:`Principal`, so
verified and unverified are different types.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, NewType, Protocol

from broker.errors import Refusal
from broker.value import value

TokenType = NewType("TokenType", str)

USERNAME = TokenType("USERNAME")
OPENAM = TokenType("OPENAM")
X509 = TokenType("X509")
OPENIDCONNECT = TokenType("OPENIDCONNECT")
SAML2 = TokenType("SAML2")

ROOT_REALM = "/"
ENTROPY_BYTES = (
    32  # what a claim draws for the token it will issue; 20 of them make an assertion ID
)


_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Secret:
    """A string that never shows itself: not in ``repr``, not in a log, not in an error.

    Comparison takes the same time whatever differs.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The text itself, for the one place that needs it."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash(self._value)

    def __bool__(self) -> bool:
        return bool(self._value)


@dataclass(frozen=True, slots=True)
class PresentedCertificate:
    """What a client showed beside its request, as DER that nobody has parsed yet.

    ``leaf`` is the certificate whose key the client proved to have; ``chain`` came along with it.
    """

    leaf: bytes = field(repr=False)
    chain: tuple[bytes, ...] = field(default=(), repr=False)


@value
class ReceivedToken:
    """A subject token as it arrived: its type and unverified members, which may be secrets.

    ``canonical`` is its meaning in bytes, members sorted; empty where the transport carried it.
    ``presented`` is the certificate that came beside it, or why there is none that counts; None
    where the type has none or the transport cannot carry one. ``context`` holds what the instance's
    mapping context names of the HTTP request, by its key, for a custom token. ``requester`` is who
    sent it, which is no part of what it means.
    """

    type: TokenType
    unverified: Mapping[str, Any] = field(repr=False)
    canonical: bytes = field(default=b"", repr=False)
    presented: PresentedCertificate | Refusal | None = field(default=None, repr=False)
    context: Mapping[str, Secret] = field(default_factory=lambda: _NOTHING, repr=False)
    requester: Requester | None = field(default=None, repr=False, compare=False)

    @property
    def beside(self) -> tuple[bytes, ...]:
        """What else makes this token another one than its members say."""
        if self.presented is None and not self.context:
            return ()
        named = (f"{key}\0{self.context[key].reveal()}".encode() for key in sorted(self.context))
        if isinstance(self.presented, PresentedCertificate):
            return (self.presented.leaf, *named)
        return tuple(named)

    @property
    def whole(self) -> bytes:
        """Everything that makes it the token it is: who shows this again is the same holder."""
        beside = self.beside
        if not beside:
            return self.canonical
        return b"".join(len(each).to_bytes(4, "big") + each for each in (self.canonical, *beside))


@value
class RequestedToken:
    """What the caller asks for: the output type and the options that came with it."""

    type: TokenType
    options: Mapping[str, Any] = field(repr=False)
    canonical: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Requester:
    """Who sent the request, as the transport authenticated it; never the subject.

    ``id`` is None for an anonymous requester. ``address`` is the client's, after trusted proxies.
    ``by_key`` is set where a signature of its own proves the name, whatever the transport.
    """

    transport: str
    id: str | None = None
    address: str | None = None
    by_key: bool = False


@value
class TranslationRequest:
    """One request, decoded once; no transport's form, header or frame survives past it.

    ``request_id`` is the caller's idempotency id, that of the batch for a part of one, ``deadline``
    seconds since the epoch. ``reply_key`` is the public key (JWK) that the answer is to be
    encrypted to, if one came.
    """

    instance: str
    subject_token: ReceivedToken
    requested_token: RequestedToken
    requester: Requester
    request_id: str | None = None
    deadline: float | None = None
    trace: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    reply_key: Mapping[str, Any] | None = field(default=None, repr=False)


@value
class VerifiedClaims:
    """What is said of a principal, in the relying party's words: name to its values, in order."""

    values: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Confirmation:
    """How the bearer of an assertion proves it is the subject (SAML 2.0 core, section 2.4.1.1).

    ``certificate`` is the DER of the proof certificate of holder-of-key, else None.
    """

    method: str
    certificate: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Login:
    """What a subject token says of the login behind it: passed on as it is, never raised.

    ``at`` is ``auth_time`` in seconds since the epoch, ``context`` is ``acr`` and ``methods`` are
    ``amr`` (OpenID Connect Core 1.0, section 2); None and empty where it says nothing.
    """

    at: int | None = None
    context: str | None = None
    methods: tuple[str, ...] = ()


class SessionBehind(Protocol):
    """The session behind a translation, opened if need be (``broker.interim``)."""

    async def session_id(self) -> Secret | None:
        """None for a subject that is no user of ours; raises Unavailable."""


@value
class Principal:
    """Who a validated token speaks for. Only validators make one.

    ``attributes`` is None while nobody has read the profile; ``not_after`` (seconds since the
    epoch) bounds what may be issued for it; ``session_id`` is the session that came in or stands
    behind it; ``parent`` the id of the token of ours it was shown with; ``one_time_token`` names a
    token that may be used once, which is remembered until ``one_time_until`` at least. ``foreign``
    is set for who is no user of ours (``trust.account``). ``login`` is what another issuer says of
    the login, ``state`` what a custom validator adds. ``behind`` has a session for plug-ins, where
    the instance names some. ``vouched_by`` tells the audit which modules said so.
    ``session_properties`` are those of the session that came in, if one did.
    """

    name: str
    realm: str
    method: TokenType
    authenticated_at: int
    attributes: Mapping[str, tuple[str, ...]] | None = field(default=None, repr=False)
    not_after: int | None = None
    session_id: Secret | None = None
    parent: str | None = None
    one_time_token: str | None = None
    foreign: str | None = None
    login: Login | None = None
    state: Any = field(default=None, repr=False)
    behind: SessionBehind | None = field(default=None, repr=False, compare=False)
    vouched_by: str = ""
    one_time_until: int | None = None
    session_properties: Mapping[str, str] | None = field(default=None, repr=False, hash=False)

    @property
    def account(self) -> str:
        """The name in records, quotas and the audit, where a foreign subject is never mistaken for
        a user of ours."""
        return self.name if self.foreign is None else self.foreign


@value
class IssuedToken:
    """A finished token and the names it is known by.

    ``token_id`` is the claimed id (``jti`` or assertion ``ID``), ``alias`` the id that
    ``/sts-tokengen`` shows, ``digest`` the SHA-256 that validate compares. ``body`` is the answer.
    """

    type: TokenType
    token_id: str
    alias: str
    digest: bytes
    body: Any = field(repr=False)


@value
class TokenRecord:
    """What is kept of an issued token: enough to list, validate and cancel it.

    ``kept`` is the token itself, sealed, where its instance asks for it.
    """

    token_id: str
    alias: str
    digest: bytes
    type: TokenType
    instance: str
    realm: str
    principal: str
    issued_at: int
    expires_at: int
    key_id: str | None = None
    parent: str | None = None
    kept: bytes | None = field(default=None, repr=False)


@value
class Claim:
    """What was fixed for one request before its token was looked at.

    Every later attempt at the same request mints the same logical token from it. ``scope`` and
    ``request_id`` are None where the caller gave no id: such a claim lives in memory alone.
    ``epoch`` fences: a commit under an older epoch than the stored one is refused.
    """

    token_id: str
    issued_at: int
    expires_at: int
    key_id: str | None
    entropy: bytes = field(repr=False)
    fingerprint: bytes = b""
    scope: str | None = None
    request_id: str | None = None
    owner: str = ""
    epoch: int = 0

    @property
    def stored(self) -> bool:
        """True for a claim that belongs in the ledger."""
        return self.request_id is not None

    @property
    def held(self) -> bool:
        """True once the ledger has it: stored claims have an epoch from 1 on."""
        return self.epoch > 0


@value
class Answer:
    """What the caller hears, on any transport: a body, or the refusal it got instead.

    ``status`` speaks HTTP's numbers, which CREST bodies carry on every transport. A stored answer
    also knows the instance that was asked, and the key (``reply_key``) of those who may read it;
    neither is said to the caller. ``body`` is a JSON object, for a custom token any JSON value.
    """

    status: int
    body: Any = field(repr=False)
    token_id: str | None = None
    expires_at: int | None = None
    instance: str | None = field(default=None, compare=False)
    reply_key: Mapping[str, Any] | None = field(default=None, repr=False, compare=False)

    @property
    def final(self) -> bool:
        """True for an answer that asking again cannot change; only such answers are stored."""
        return self.status < 500 and self.status not in NOT_FINAL


NOT_FINAL = frozenset({408, 429})


@dataclass(frozen=True, slots=True)
class Announcement:
    """An event on its way out, as the outbox keeps it.

    ``id`` is the same whenever the same fact is announced. ``type`` is the event's, such as
    ``token.issued``; ``routing_key`` adds whom it concerns; ``body`` is what goes out. ``due_at``
    (seconds since the epoch) is when others than its maker may take it up. ``request`` (scope and
    request id) or ``alias`` say what it is stored with.
    """

    id: str
    type: str
    routing_key: str
    body: bytes = field(repr=False)
    due_at: float
    request: tuple[str, str] | None = None
    alias: str | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """Who checked the login of a session, where modules did.

    ``target`` is the chain or module, as ``service|NAME`` or ``module|NAME``; ``methods`` are
    ``amr`` (RFC 8176). ``foreign`` is the account of who is no local user. ``attributes`` are the
    directory's: all there are of a foreign subject, and of a local user those that are not kept
    here.
    """

    target: str
    methods: tuple[str, ...] = ()
    foreign: str | None = None
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Session:
    """A login that stands until it idles out, ends, or is logged out. Times in seconds.

    ``interim`` sessions exist for one translation and carry no administrative right.
    ``user_stamp`` is the user's at login: a session does not outlive the password it began with,
    nor pass to the next user of that name. ``origin`` is None where a local password alone was
    checked, by nobody but the broker.
    """

    id: Secret
    uid: str
    principal: str
    realm: str
    created_at: int
    last_access_at: int
    max_idle_seconds: int
    max_life_seconds: int
    interim: bool = False
    user_stamp: str = field(default="", repr=False)
    origin: Origin | None = None

    @property
    def foreign(self) -> str | None:
        """The account of who is no local user: nothing of a local user's is theirs."""
        return None if self.origin is None else self.origin.foreign

    @property
    def account(self) -> str:
        """The name in records and the audit."""
        return self.foreign or self.principal

    @property
    def properties(self) -> Mapping[str, str]:
        """Who checked the login, by AM's names; of a foreign subject the account, which no local
        user can have."""
        if self.origin is None:
            return _NOTHING
        kind, _, name = self.origin.target.partition("|")
        found = {"Service" if kind == "service" else "AuthType": name}
        if self.foreign is not None:
            found["Principal"] = self.foreign
        return found

    @property
    def idle_expires_at(self) -> int:
        return self.last_access_at + self.max_idle_seconds

    @property
    def life_expires_at(self) -> int:
        return self.created_at + self.max_life_seconds

    def expired(self, now: float) -> bool:
        return now >= self.idle_expires_at or now >= self.life_expires_at


@dataclass(frozen=True)
class User:
    """A local user: password hash (argon2id, PHC string) and profile attributes."""

    # Not in slots: the stamp is worked out once.

    name: str
    realm: str
    password_hash: Secret
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    active: bool = True

    @property
    def administrator(self) -> bool:
        """Administrators carry ``admin`` among their ``roles``."""
        return "admin" in self.attributes.get("roles", ())

    @cached_property
    def stamp(self) -> str:
        """Changes with the password, and with the user: each hash has a salt of its own."""
        return hashlib.sha256(self.password_hash.reveal().encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class InstanceDocument:
    """A published instance as its publisher wrote it; compiling it gives an ``Instance``.

    ``format`` names the codec of ``body``; ``revision`` is the opaque ``_rev`` of the contract.
    """

    id: str
    realm: str
    revision: str
    format: str
    body: Mapping[str, Any] = field(repr=False)


def instance_id(realm: str, url_element: str) -> str:
    """Join realm and URL element as ForgeRock does: empty parts and slashes at joints vanish."""
    joined = f"{realm}/{url_element}".strip("/")
    return "/".join([part for part in joined.split("/") if part]) if "//" in joined else joined


def normal_realm(path: str) -> str:
    """``/fred/bobo`` for any spelling of it; ``/`` for the root realm."""
    return ROOT_REALM + "/".join(part for part in path.split("/") if part)

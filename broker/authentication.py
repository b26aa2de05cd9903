"""Who is asking: modules that check a login, and chains of them.

A module looks at what came with a request (``Evidence``) and says who it is (``Identity``), or
raises. A chain asks several and weighs their words by control flags, as JAAS and PAM do. Which
chain or module checks which type of input is an instance's choice (``AuthTarget``), else its
realm's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from types import MappingProxyType
from typing import Protocol

from broker import trust
from broker.errors import AuthenticationFailed
from broker.model import Login, Principal, Secret, TokenType
from broker.output_options import AuthTarget

SCHEME = "auth://"
"""What the accounts begin with of those whom a module knows and this broker does not."""

FAILED = "Authentication Failed"
"""All that a caller hears of a login that failed."""

_NOTHING: Mapping[str, str] = MappingProxyType({})


def _nothing() -> Mapping[str, str]:
    return _NOTHING


@dataclass(frozen=True, slots=True)
class Prompt:
    """One thing that a module still has to know.

    ``id`` is ``username``, ``password``, ``otp``, or a name of the module's own; ``text`` is for
    the person who answers, ``secret`` says that the answer is not to be shown.
    """

    id: str
    text: str
    secret: bool = False


USERNAME_PROMPT = Prompt("username", "User Name:")
PASSWORD_PROMPT = Prompt("password", "Password:", secret=True)
OTP_PROMPT = Prompt("otp", "One Time Password:", secret=True)


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that came with one request about who is asking; nothing of it is verified.

    ``tokens`` checks, by type, a token that came along with this broker's own validators. The
    mapping ``context`` is the target's; ``headers`` are those that modules asked for, by their name
    in lower case, each as often as it came, and those of names that some servers take for the same
    (``x_user``). ``address`` is the client's after trusted proxies,
    ``requester`` the name of who sent the request where no address is known, ``peer`` the address
    of the connection itself, ``peer_certificate`` the DER of the certificate that the connection
    was made with. ``answers`` and ``state`` belong to a later step: what the prompts of
    a module were answered with, and what it had to remember. ``now`` is seconds since the epoch.
    What a module puts into ``answer_headers`` goes into the head of an HTTP answer.
    ``front_end`` is what the login is for: an instance's ``url_element``, or "" where it is for
    none.
    """

    realm: str
    now: float
    username: str | None = None
    password: Secret | None = None
    otp: Secret | None = None
    session_id: Secret | None = None
    id_token: Secret | None = None
    certificate: bytes | None = field(default=None, repr=False)
    tokens: Mapping[TokenType, Callable[[], Awaitable[Principal]]] = field(
        default_factory=lambda: MappingProxyType({}), repr=False
    )
    context: Mapping[str, str] = field(default_factory=_nothing)
    headers: Mapping[str, tuple[Secret, ...]] = field(
        default_factory=lambda: MappingProxyType({}), repr=False
    )
    address: str | None = None
    requester: str | None = None
    peer: str | None = None
    peer_certificate: bytes | None = field(default=None, repr=False)
    answers: Mapping[str, Secret] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    state: Mapping[str, str] = field(default_factory=_nothing, repr=False)
    answer_headers: dict[str, str] = field(default_factory=dict, repr=False, compare=False)
    front_end: str = ""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a module, or a chain, says is asking.

    ``name`` is written as the directory writes it, not as it was typed. ``foreign`` is the account
    in records of who is no local user (``account``); None says that it is the local user ``name``.
    ``methods`` are RFC 8176's words (``pwd``, ``otp``, ``hwk``, ``kerberos``…). ``one_time`` names
    something that counts once, such as the time step of a code: whoever uses the identity spends it
    first, to be remembered until ``one_time_until`` (seconds since the epoch) at least. ``note`` is
    for the audit: what the module did instead of what it is for. ``not_after`` (seconds since the
    epoch) bounds what may be issued. ``session_id`` and ``parent`` are a validator's own.
    """

    name: str
    attributes: Mapping[str, tuple[str, ...]] = field(repr=False)
    foreign: str | None
    methods: tuple[str, ...] = ()
    one_time: str | None = None
    not_after: int | None = None
    authenticated_at: int | None = None
    login: Login | None = None
    session_id: Secret | None = None
    parent: str | None = None
    one_time_until: int | None = None
    note: str = ""

    def principal(self, realm: str, method: TokenType, now: float, told: str) -> Principal:
        """The subject of a translation; ``told`` is for the audit: who vouched."""
        at = int(now) if self.authenticated_at is None else self.authenticated_at
        return Principal(
            name=self.name,
            realm=realm,
            method=method,
            authenticated_at=at,
            attributes=self.attributes,
            not_after=self.not_after,
            session_id=self.session_id,
            parent=self.parent,
            one_time_token=self.one_time,
            one_time_until=self.one_time_until,
            foreign=self.foreign,
            login=self._login(at),
            vouched_by=told,
        )

    def _login(self, at: int) -> Login | None:
        """What the token said of the login, and what was checked here besides."""
        if not self.methods:
            return self.login
        said = self.login or Login(at=at)
        return replace(said, methods=tuple(dict.fromkeys((*said.methods, *self.methods))))


def account(module: str, name: str) -> str:
    """How records know whom a module of the realm knows: never as a local user."""
    return trust.account(SCHEME + module, name)


def identity_of(principal: Principal) -> Identity:
    """What a validator of this broker found, as an identity."""
    return Identity(
        name=principal.name,
        attributes=principal.attributes or {},
        foreign=principal.foreign,
        one_time=principal.one_time_token,
        one_time_until=principal.one_time_until,
        not_after=principal.not_after,
        authenticated_at=principal.authenticated_at,
        login=principal.login,
        session_id=principal.session_id,
        parent=principal.parent,
    )


class AuthModule(Protocol):
    """Checks one kind of evidence. A named one belongs to a realm."""

    @property
    def name(self) -> str: ...

    @property
    def headers(self) -> frozenset[str]:
        """The HTTP headers, in lower case, that it wants to see."""

    async def authenticate(self, evidence: Evidence, known: Identity | None) -> Identity:
        """Who is asking. ``known`` is whom modules before it in the chain agreed on: a second
        factor is that person's, and comes back as the same identity, added to.

        Raises AuthenticationFailed (``detail`` for the audit), MoreNeeded, TooManyAttempts, and
        Unavailable where nobody could be asked: never an identity then.
        """

    async def close(self) -> None: ...


class MoreNeeded(AuthenticationFailed):
    """A step is missing. Whoever can ask back shows ``prompts``; for everybody else it is a login
    that failed. ``state`` is what the module wants to see again beside the answers; ``progress``
    what the chain has seen so far."""

    def __init__(
        self,
        prompts: tuple[Prompt, ...],
        state: Mapping[str, str] = _NOTHING,
        *,
        detail: str = "another step is needed",
        progress: Progress | None = None,
    ) -> None:
        super().__init__(FAILED, detail=detail)
        self.prompts = prompts
        self.state = dict(state)
        self.progress = progress


class Flag(Enum):
    """What the word of a module counts for in a chain."""

    REQUIRED = "required"
    """Must succeed; the others are asked all the same, so that time tells nothing."""
    REQUISITE = "requisite"
    """Must succeed; if it does not, nobody else is asked."""
    SUFFICIENT = "sufficient"
    """Enough where no required one failed before it; its failure does no harm."""
    OPTIONAL = "optional"
    """Counts only where no other kind is in the chain."""


class Verdict(Enum):
    PASSED = "passed"
    FAILED = "failed"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Progress:
    """What a chain has seen so far: a verdict for each module asked, who it is, and what the
    module that asks back has to remember. ``told`` is for the audit, ``login`` the name that was
    typed."""

    verdicts: tuple[Verdict, ...] = ()
    identity: Identity | None = None
    state: Mapping[str, str] = field(default_factory=_nothing, repr=False)
    told: tuple[str, ...] = ()
    login: str | None = None

    def after(
        self, verdict: Verdict, identity: Identity | None, module: str, said: str
    ) -> Progress:
        return replace(
            self,
            verdicts=(*self.verdicts, verdict),
            identity=identity or self.identity,
            state=_NOTHING,
            told=(*self.told, f"{module}: {said}"),
        )


class Authentication(Protocol):
    """A chain or a module, ready to be asked."""

    @property
    def headers(self) -> frozenset[str]:
        """The HTTP headers, in lower case, that its modules want to see."""

    async def authenticate(
        self, evidence: Evidence, progress: Progress | None = None
    ) -> tuple[Identity, str]:
        """Who is asking, and what each module said, for the audit. ``progress`` is that of the
        MoreNeeded of the step before. Raises as ``AuthModule.authenticate`` does."""


class AuthTargets(Protocol):
    """Finds who checks a login. Looking one up asks neither store nor network."""

    def target(
        self, realm: str, token_type: TokenType, named: AuthTarget | None
    ) -> Authentication | None:
        """That of an instance's target, else the realm's default for the type of input; None where
        the broker's own validator is meant. Raises InvalidRequest if the realm has no such
        target, and Unavailable where that is not known yet."""


class _NoTargets:
    def target(
        self, realm: str, token_type: TokenType, named: AuthTarget | None
    ) -> Authentication | None:
        return None


NO_TARGETS: AuthTargets = _NoTargets()

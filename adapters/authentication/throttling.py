"""Guessing is slow: failed logins are counted by account, by address, and by both together.

Who logged in from an address lately is known there, and is held up by nothing but failures in his
own name from that address. Everybody else waits as well where the account, or the address, has seen
too many. All is counted under the name as it was typed, before anybody looks whether there is such
an account: one that does not exist is counted, refused and worded like one that does.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import structlog

from adapters.authentication.counting import (
    KNOWN_SECONDS,
    PAIR,
    Admission,
    Counted,
    Keys,
    Naming,
    known,
)
from adapters.stores.memory_attempts import MemoryAttempts
from broker.attempts import AttemptStore, Failure, Tally
from broker.authentication import (
    PASSWORD_PROMPT,
    USERNAME_PROMPT,
    Authentication,
    Evidence,
    Identity,
    MoreNeeded,
    Progress,
)
from broker.errors import AuthenticationFailed, TooManyAttempts, Unavailable
from broker.model import Secret, User
from broker.ports import Authenticator, Clock

NOTED_SECONDS = 24 * 3600
"""How often a login is noted at most, where there are no failures to forgive."""

FORGIVEN_SECONDS = 60
"""How often a login forgives the failures before it at most: one that succeeds all the time, as
that of a service does, must not make guesses beside it free."""

CREDENTIALS = frozenset({USERNAME_PROMPT.id, PASSWORD_PROMPT.id})
CODE = "otp"
"""What a login by a code says of itself (RFC 8176)."""

MAX_LOGIN_LENGTH = 256
"""How much of a name that was typed goes into the audit."""

CODES = "codes"
"""Codes are counted by themselves as well: who has the password alone, and a way in that takes no
code, could otherwise have each login there forgive the guesses at the code."""

SENTENCE = "too many failed logins; wait before trying again"

T = TypeVar("T")
_log = structlog.get_logger(__name__)


class Throttling:
    """Counts in ``attempts``, which brokers share; ``key`` hides from readers of the store who is
    counted. While the store cannot be asked, what this process has seen itself stands in.

    ``shared_addresses`` are networks whose addresses many people have: a failure there counts
    against the account, and not against all who come the same way.
    """

    def __init__(
        self,
        attempts: AttemptStore,
        *,
        key: bytes,
        clock: Clock,
        shared_addresses: Iterable[str] = (),
    ) -> None:
        self._attempts = attempts
        self._naming = Naming(key, shared_addresses)
        self._clock = clock
        self._own = MemoryAttempts()
        self._counted = 0  # failures, so that a login sees whether there was one meanwhile
        self._down = False

    async def guarded(
        self,
        realm: str,
        account: str | None,
        address: str | None,
        check: Callable[[], Awaitable[T]],
        *,
        what: str = "",
        forgives: Callable[[T], bool] = lambda _: True,
    ) -> T:
        """What ``check`` returns, unless too much failed before it. ``account`` is the name as it
        was typed, None where there is none; ``address`` that of a client, or a requester's name.
        ``what`` is counted by itself, and ``forgives`` says whether a success was one of it.

        Raises TooManyAttempts, and what ``check`` raises.
        """
        keys = self._naming.keys(realm, account, address, what)
        try:
            return await self._guarded(keys, check, forgives)
        except (AuthenticationFailed, TooManyAttempts) as refusal:
            refusal.login = None if account is None else account[:MAX_LOGIN_LENGTH]
            if what and isinstance(refusal, TooManyAttempts):
                refusal.detail = f"{refusal.detail}, {what} alone"
            raise

    async def _guarded(
        self, keys: Keys, check: Callable[[], Awaitable[T]], forgives: Callable[[T], bool]
    ) -> T:
        admission = await self._admitted(keys)
        counted = self._counted
        try:
            result = await check()
        except MoreNeeded:
            raise
        except AuthenticationFailed as refusal:
            await self._failed(admission, refusal)
            raise
        if self._counted != counted:  # guesses that were sent at once passed the look together
            self._judge(admission.judged, self._seen(keys.all))
        if forgives(result):
            await self._succeeded(admission)
        return result

    async def reap(self) -> None:
        """Forget what is over. Raises Unavailable."""
        now = self._clock.now()
        await self._own.reap(now)
        await self._attempts.reap(now)

    # -- before and after a login --------------------------------------------------------------

    async def _admitted(self, keys: Keys) -> Admission:
        """Raises TooManyAttempts."""
        now, own = self._clock.now(), self._own.peek(keys.pair)
        if known(own, now):  # then one key will do, and mostly does
            tallies = await self._tallies((keys.pair,))
            admission = Admission.of(keys, tallies[keys.pair], now)
            if admission.known:
                self._judge(admission.judged, tallies)
                return admission
        tallies = await self._tallies(keys.all)
        admission = Admission.of(keys, tallies[keys.pair], now)
        if admission.known and not own.failures:
            at = admission.pair.succeeded_at
            self._own.note(keys.pair, at, at + KNOWN_SECONDS)
        self._judge(admission.judged, tallies)
        return admission

    def _judge(self, judged: Counted, tallies: Mapping[bytes, Tally], why: str = "") -> None:
        now = self._clock.now()
        for key, rule in judged:
            wait = rule.ready_at(tallies[key]) - now
            if wait > 0:
                detail = f"too many failures of {rule.of}{why}"
                raise TooManyAttempts(SENTENCE, retry_after=math.ceil(wait), detail=detail)

    async def _failed(self, admission: Admission, refusal: AuthenticationFailed) -> None:
        """Count it. Raises TooManyAttempts if too many others failed meanwhile: then this guess
        must not learn that it was wrong either."""
        now = self._clock.now()
        failures = [Failure(key, rule, now) for key, rule in admission.counted]
        self._counted += 1
        own = [self._own.count(failure) for failure in failures]
        try:
            before = await self._attempts.failed(failures)
        except Unavailable as error:
            self._note_down(error)
            before = own
        tallies = {failure.key: tally for failure, tally in zip(failures, before, strict=True)}
        self._judge(admission.judged, tallies, f" ({refusal.detail})")

    async def _succeeded(self, admission: Admission) -> None:
        """Note it where that changes something. A store that is down keeps nobody out."""
        if not admission.keys.named:
            return
        now, pair = self._clock.now(), admission.pair
        pause = FORGIVEN_SECONDS if PAIR.left(pair, now) > 0 else NOTED_SECONDS
        if now - pair.succeeded_at < pause:
            return
        until = now + KNOWN_SECONDS
        self._own.note(admission.keys.pair, now, until)
        try:
            await self._attempts.succeeded(admission.keys.pair, now, until)
        except Unavailable as error:
            self._note_down(error)

    # -- the store, or what stands in for it ---------------------------------------------------

    async def _tallies(self, keys: Sequence[bytes]) -> Mapping[bytes, Tally]:
        try:
            found = await self._attempts.tallies(keys)
        except Unavailable as error:
            self._note_down(error)
            return self._seen(keys)
        self._down = False
        return dict(zip(keys, found, strict=True))

    def _seen(self, keys: Sequence[bytes]) -> Mapping[bytes, Tally]:
        """What this process knows itself."""
        return {key: self._own.peek(key) for key in keys}

    def _note_down(self, error: Unavailable) -> None:
        if not self._down:
            _log.warning("failed logins are counted by this process alone", why=error.sentence)
        self._down = True


@dataclass(frozen=True, slots=True)
class ThrottledAuthenticator:
    """An ``Authenticator`` whose failures are counted."""

    inner: Authenticator
    throttling: Throttling

    async def authenticate(
        self, realm: str, username: str, password: Secret, address: str | None
    ) -> User:
        """Raises TooManyAttempts, and as ``inner`` does."""

        def check() -> Awaitable[User]:
            return self.inner.authenticate(realm, username, password, address)

        return await self.throttling.guarded(realm, username, address, check)


@dataclass(frozen=True, slots=True)
class Throttled:
    """A chain or module whose failures are counted, where something came that can be guessed."""

    inner: Authentication
    throttling: Throttling

    @property
    def headers(self) -> frozenset[str]:
        return self.inner.headers

    async def authenticate(
        self, evidence: Evidence, progress: Progress | None = None
    ) -> tuple[Identity, str]:
        """Raises TooManyAttempts, and as ``inner`` does."""
        account = _account(evidence, progress)

        async def check() -> tuple[Identity, str]:
            try:
                return await self.inner.authenticate(evidence, progress)
            except MoreNeeded as more:
                more.progress = replace(more.progress or Progress(), login=account)
                raise

        if not _guessable(evidence):
            return await check()
        realm, address = evidence.realm, evidence.address or evidence.requester

        async def check_code() -> tuple[Identity, str]:
            return await self.throttling.guarded(
                realm, account, address, check, what=CODES, forgives=_by_code
            )

        with_code = account is not None and _has_code(evidence)
        return await self.throttling.guarded(
            realm, account, address, check_code if with_code else check
        )


def _guessable(evidence: Evidence) -> bool:
    """Whether something came that people choose, or that is short."""
    return bool(evidence.password or evidence.otp or evidence.answers)


def _has_code(evidence: Evidence) -> bool:
    """Whether something came besides a name and a password."""
    return bool(evidence.otp or evidence.answers.keys() - CREDENTIALS)


def _by_code(found: tuple[Identity, str]) -> bool:
    """Whether anybody looked at the code: a chain that wants none lets any pass."""
    identity, _ = found
    return identity.one_time is not None or CODE in identity.methods


def _account(evidence: Evidence, progress: Progress | None) -> str | None:
    """The name that was typed, in this step or one before it."""
    if evidence.username is not None or progress is None:
        return evidence.username
    return progress.login

"""Who comes with a Kerberos ticket for this service, in the header ``Authorization: Negotiate``."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import secrets
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from adapters.authentication.modules.negotiate.accepting import Accepted, accept
from adapters.authentication.modules.negotiate.ap_req import authenticator
from adapters.authentication.modules.subjects import Subjects
from broker.authentication import FAILED, Evidence, Identity
from broker.errors import AuthenticationFailed, Unavailable
from broker.model import Secret
from broker.ports import ReplayCache

AUTHORIZATION, CHALLENGE, SCHEME = "authorization", "WWW-Authenticate", "Negotiate"
METHODS = ("wia",)  # RFC 8176, section 2
PRINCIPAL = "krbPrincipalName"
"""The attribute with the whole name, as MIT's directory schema calls it."""

MAX_TOKEN_LENGTH = 64 * 1024
MAX_WAITING = 64
THREADS = 4
BUSY = "too many Kerberos logins are being checked; ask again shortly"
LATE = "Kerberos logins cannot be checked in time; ask again shortly"
SPENT_SECONDS = 3600
"""How long a token is known again: twice what clocks may differ by, and more."""


class UserName(Enum):
    """What becomes of ``alice@EXAMPLE.COM``."""

    STRIP = "strip"
    KEEP = "keep"


@dataclass(frozen=True, slots=True)
class Configuration:
    """A module of the kind ``negotiate``; ``service`` is ``HTTP`` or ``HTTP@host``, ``timeout`` in
    seconds."""

    keytab: Path
    service: str
    realms: frozenset[str]
    user_name: UserName
    timeout: int


class NegotiateModule:
    """Checks tokens in threads of its own. ``replays`` knows those that came before."""

    def __init__(
        self, name: str, configuration: Configuration, subjects: Subjects, replays: ReplayCache
    ) -> None:
        self.name = name
        self.headers = frozenset({AUTHORIZATION})
        self._configuration = configuration
        self._subjects = subjects
        self._replays = replays
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="negotiate")
        self._waiting = 0

    async def authenticate(self, evidence: Evidence, known: Identity | None) -> Identity:
        """Raises AuthenticationFailed and Unavailable. Where no token came the answer is to ask
        for one."""
        text = _token(evidence.headers)
        if text is None:
            evidence.answer_headers[CHALLENGE] = SCHEME
            raise AuthenticationFailed(FAILED, detail="no Kerberos token came")
        try:
            if len(text) > MAX_TOKEN_LENGTH:
                raise ValueError("the token is too long")
            token = base64.b64decode(text, validate=True)
            unique = authenticator(token)
        except (binascii.Error, ValueError) as error:
            raise AuthenticationFailed(FAILED, detail=_why(error)) from None
        accepted = await self._accepted(token)
        name = self._name(accepted.principal)
        await self._spend(unique, evidence.now)
        found = await self._subjects.identity(name, {PRINCIPAL: (accepted.principal,)}, METHODS)
        if accepted.answer:
            answer = base64.b64encode(accepted.answer).decode()
            evidence.answer_headers[CHALLENGE] = f"{SCHEME} {answer}"
        return replace(found, not_after=int(evidence.now) + accepted.lifetime)

    async def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _accepted(self, token: bytes) -> Accepted:
        if self._waiting >= MAX_WAITING:
            raise Unavailable(BUSY)
        self._waiting += 1
        loop, chosen = asyncio.get_running_loop(), self._configuration
        work = loop.run_in_executor(self._pool, accept, chosen.keytab, chosen.service, token)
        work.add_done_callback(self._done)
        try:
            async with asyncio.timeout(chosen.timeout):
                return await asyncio.shield(work)
        except TimeoutError:
            raise Unavailable(LATE) from None

    def _done(self, work: asyncio.Future[Accepted]) -> None:
        """The thread is free again, which may be later than its answer was waited for."""
        self._waiting -= 1
        if not work.cancelled():
            work.exception()

    def _name(self, principal: str) -> str:
        """Raises AuthenticationFailed for a realm that is not named, and for the principals of
        services and of administrators' second accounts (``alice/admin``)."""
        user, mark, realm = principal.rpartition("@")
        if not mark or realm not in self._configuration.realms:
            raise AuthenticationFailed(
                FAILED, detail="the Kerberos realm is not one of those named"
            )
        if any(each in user for each in "/\\@"):
            raise AuthenticationFailed(FAILED, detail="the principal is not simply a user's")
        return user if self._configuration.user_name is UserName.STRIP else principal

    async def _spend(self, unique: bytes, now: float) -> None:
        mark = f"kerberos/{hashlib.sha256(unique).hexdigest()}"
        owner = secrets.token_hex(16)
        if not await self._replays.spend(mark, owner, now + SPENT_SECONDS):
            raise AuthenticationFailed(FAILED, detail="the Kerberos token was used before")


def _token(headers: Mapping[str, tuple[Secret, ...]]) -> str | None:
    """The token, if there is one header and it is of this scheme."""
    found = headers.get(AUTHORIZATION, ())
    if len(found) != 1:
        return None
    scheme, _, text = found[0].reveal().partition(" ")
    if scheme.lower() != SCHEME.lower() or not text.strip():
        return None
    return text.strip()


def _why(error: ValueError) -> str:
    return "the token is not base64" if isinstance(error, binascii.Error) else str(error)

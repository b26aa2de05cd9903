"""The broker's own users: argon2id hashes in the user store, checked in a bounded pool.

An unknown, inactive or passwordless user costs the same hash as a known one, so that time does not
tell which names exist.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from adapters.directories.verified import VerifiedPasswords
from broker.errors import AuthenticationFailed, Unavailable
from broker.model import ROOT_REALM, Secret, User
from broker.ports import UserStore

MAX_PASSWORD_BYTES = 1024

FAILED = "Authentication Failed"


@dataclass(frozen=True, slots=True)
class HashCost:
    """Argon2id parameters: memory in KiB, passes, lanes."""

    memory_kib: int = 19 * 1024
    passes: int = 2
    lanes: int = 1


class Passwords:
    """Hashes and checks passwords on ``threads`` threads, with at most ``max_waiting`` waiting."""

    def __init__(
        self, *, threads: int = 2, max_waiting: int = 200, cost: HashCost | None = None
    ) -> None:
        cost = cost or HashCost()
        self._hasher = PasswordHasher(
            time_cost=cost.passes,
            memory_cost=cost.memory_kib,
            parallelism=cost.lanes,
            type=Type.ID,
        )
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="argon2")
        self._limit = threads + max_waiting
        self._in_work = 0
        self._stand_in = self._hasher.hash("the password of nobody")

    def hash(self, password: Secret) -> Secret:
        """The PHC string of a new password. Blocks for as long as a check takes."""
        return Secret(self._hasher.hash(password.reveal()))

    async def hashed(self, password: Secret) -> Secret:
        """As ``hash``, on a thread of the pool."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self.hash, password)

    async def matches(self, password_hash: Secret | None, password: Secret) -> bool:
        """Whether the password fits; without a hash it does the same work and is False.

        Raises Unavailable when too many checks are waiting.
        """
        if self._in_work >= self._limit:
            raise Unavailable("too many passwords are being checked; ask again shortly")
        self._in_work += 1
        try:
            loop = asyncio.get_running_loop()
            stored = password_hash.reveal() if password_hash else self._stand_in
            fits = await loop.run_in_executor(self._pool, self._verify, stored, password.reveal())
        finally:
            self._in_work -= 1
        return fits and bool(password_hash)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _verify(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False


class LocalAuthenticator:
    """An ``Authenticator`` on the user store. Who fails too often is not its concern
    (``adapters.authentication.throttling``)."""

    def __init__(
        self,
        users: UserStore,
        passwords: Passwords,
        verified: VerifiedPasswords | None = None,
    ) -> None:
        self._users = users
        self._passwords = passwords
        self._verified = verified or VerifiedPasswords(0)

    async def authenticate(
        self, realm: str, username: str, password: Secret, address: str | None
    ) -> User:
        """The user. Raises AuthenticationFailed and Unavailable."""
        user = await self._users.get(realm, username)
        usable = user is not None and user.active and bool(user.password_hash)
        sized = 0 < len(password.reveal().encode()) <= MAX_PASSWORD_BYTES
        known = user if usable and sized else None
        given = password if sized else Secret("-")
        if self._verified.right(known or NOBODY, given) and known is not None:
            return known
        fits = await self._passwords.matches(known.password_hash if known else None, given)
        if user is not None and fits:
            self._verified.remember(user, password)
            return user
        raise AuthenticationFailed(FAILED, detail=_why(user, usable, sized))


NOBODY = User("", ROOT_REALM, Secret("no hash"))
"""Whom the same is asked of, for the same work, where nobody has the name."""


def _why(user: User | None, usable: bool, sized: bool) -> str:
    """For the audit alone."""
    if user is None:
        return "unknown user"
    if not usable:
        return "inactive user"
    return "wrong password" if sized else "empty or overlong password"

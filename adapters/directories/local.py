"""The broker's own users: argon2id hashes in the user store, checked in a bounded pool.

An unknown, inactive or passwordless user costs the same hash as a known one, so that time does not
tell which names exist. The administrator's failures are throttled per address.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from broker.errors import AuthenticationFailed, TooManyAttempts, Unavailable
from broker.model import Secret, User
from broker.ports import UserStore

MAX_PASSWORD_BYTES = 1024
MAX_FAILURES = 10
FAILURE_WINDOW_SECONDS = 300.0
MAX_TRACKED = 10_000

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


class Throttle:
    """Failures per key in a sliding window; ``clock`` counts seconds and never goes back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[tuple[str, ...], deque[float]] = OrderedDict()

    def check(self, key: tuple[str, ...]) -> None:
        """Raises TooManyAttempts while the key has failed too often."""
        failures = self._recent(key)
        if len(failures) >= MAX_FAILURES:
            wait = int(failures[0] + FAILURE_WINDOW_SECONDS - self._clock()) + 1
            raise TooManyAttempts(
                "too many failed logins; wait before trying again", retry_after=wait
            )

    def failed(self, key: tuple[str, ...]) -> None:
        self._recent(key).append(self._clock())
        self._failures.move_to_end(key)
        while len(self._failures) > MAX_TRACKED:
            self._failures.popitem(last=False)

    def succeeded(self, key: tuple[str, ...]) -> None:
        self._failures.pop(key, None)

    def _recent(self, key: tuple[str, ...]) -> deque[float]:
        failures = self._failures.setdefault(key, deque())
        horizon = self._clock() - FAILURE_WINDOW_SECONDS
        while failures and failures[0] <= horizon:
            failures.popleft()
        return failures


class LocalAuthenticator:
    """An ``Authenticator`` on the user store."""

    def __init__(
        self, users: UserStore, passwords: Passwords, throttle: Throttle | None = None
    ) -> None:
        self._users = users
        self._passwords = passwords
        self._throttle = throttle or Throttle()

    async def authenticate(
        self, realm: str, username: str, password: Secret, address: str | None
    ) -> User:
        """The user. Raises AuthenticationFailed, TooManyAttempts (administrators), Unavailable."""
        user = await self._users.get(realm, username)
        throttled = user is not None and user.administrator
        key = (realm, username, address or "")
        if throttled:
            self._throttle.check(key)
        usable = user is not None and user.active and bool(user.password_hash)
        sized = 0 < len(password.reveal().encode()) <= MAX_PASSWORD_BYTES
        stored = user.password_hash if user is not None and usable and sized else None
        fits = await self._passwords.matches(stored, password if sized else Secret("-"))
        if throttled:
            self._throttle.check(key)  # once more: guesses sent at once passed the first together
        if user is not None and fits:
            if throttled:
                self._throttle.succeeded(key)
            return user
        if throttled:
            self._throttle.failed(key)
        raise AuthenticationFailed(FAILED, detail=_why(user, usable, sized))


def _why(user: User | None, usable: bool, sized: bool) -> str:
    """For the audit alone."""
    if user is None:
        return "unknown user"
    if not usable:
        return "inactive user"
    return "wrong password" if sized else "empty or overlong password"

"""Passwords that were right a moment ago, so that the same one again costs no password hash.

Off unless ``passwords.cache_seconds`` asks for it. What is kept is a keyed digest: no password, and
nothing that another process, or a copy of the memory without the key, could test one with.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable

from broker.model import Secret, User

MAX_SECONDS = 300
"""The longest that a password may count as right without being hashed again."""

MAX_ENTRIES = 10_000
"""The longest unused go first."""

KEY_BYTES = 32


class VerifiedPasswords:
    """Remembers what was right for ``seconds`` after it was checked; using it makes that no longer.

    The user's stamp is in each entry, and the user is read from the store for each login: a new
    password, a user removed or made inactive, by whichever broker, ends what is remembered at once.
    ``clock`` counts seconds and never goes back.
    """

    def __init__(
        self,
        seconds: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        most: int = MAX_ENTRIES,
    ) -> None:
        self._seconds = seconds
        self._clock = clock
        self._most = most
        self._key = secrets.token_bytes(KEY_BYTES)
        self._until: OrderedDict[bytes, float] = OrderedDict()

    def right(self, user: User, password: Secret) -> bool:
        """Whether this password of this user was found right lately."""
        if not self._until:
            return False
        entry = self._entry(user, password)
        until = self._until.get(entry)
        if until is None:
            return False
        if self._clock() >= until:
            del self._until[entry]
            return False
        self._until.move_to_end(entry)
        return True

    def remember(self, user: User, password: Secret) -> None:
        """It was right just now."""
        if self._seconds <= 0:
            return
        entry = self._entry(user, password)
        self._until[entry] = self._clock() + self._seconds
        self._until.move_to_end(entry)
        while len(self._until) > self._most:
            self._until.popitem(last=False)

    def _entry(self, user: User, password: Secret) -> bytes:
        parts = (user.realm, user.name, user.stamp, password.reveal())
        told = [part.encode("utf-8", "surrogatepass") for part in parts]
        framed = b"".join(len(each).to_bytes(4, "big") + each for each in told)
        return hmac.digest(self._key, framed, "sha256")

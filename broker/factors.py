"""Second factors: what an account has besides its password, and where that is kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Factor:
    """One thing that an account has, such as the secret of an authenticator.

    ``account`` is the name in records: that of a local user, or ``authentication.account``.
    ``kind`` says who reads ``body``, ``id`` which of its kind it is. The body may hold a secret: a
    store on disk seals it. ``expires_at`` (seconds since the epoch) is when it is nobody's any
    more, None for never; it stays the same as long as the factor does.
    """

    realm: str
    account: str
    kind: str
    id: str
    body: bytes = field(repr=False)
    expires_at: int | None = None


class FactorStore(Protocol):
    """Second factors of a realm's accounts. Raises Unavailable from every method."""

    async def get(self, realm: str, account: str, kind: str, id: str) -> Factor | None: ...

    async def list(self, realm: str, account: str | None = None) -> list[Factor]:
        """Those of one account, or of all, in order of account, kind and id. Reads all of the
        realm: for administrators, not for logins."""

    async def swap(self, expected: Factor | None, factor: Factor) -> bool:
        """Compare and set, atomic, durable when it returns: True, and ``factor`` is kept, if
        ``expected`` was kept under its names before. None stands for nothing."""

    async def delete(self, realm: str, account: str, kind: str, id: str) -> bool: ...

    async def reap(self, now: float) -> int:
        """Remove what has expired (``expires_at`` <= now); returns how many."""

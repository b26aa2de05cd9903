"""Guesses at a throttle, without the passwords."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from adapters.authentication.throttling import Throttling
from broker.attempts import AttemptStore
from broker.authentication import FAILED
from broker.errors import AuthenticationFailed, TooManyAttempts
from tests.support.door import FrozenClock

KEY = b"k" * 32
HOME, CAFE = "192.0.2.10", "198.51.100.7"
GUESSES = 10_000
DAY = 24 * 3600
LONGEST_WAIT = 300


@dataclass
class World:
    """A throttle on a clock that stands still, and what came of the attempts."""

    store: AttemptStore
    clock: FrozenClock = field(default_factory=FrozenClock)
    shared: tuple[str, ...] = ()
    checked: int = 0
    throttling: Throttling = field(init=False)

    def __post_init__(self) -> None:
        self.throttling = Throttling(
            self.store, key=KEY, clock=self.clock, shared_addresses=self.shared
        )

    async def attempt(
        self,
        account: str | None,
        address: str | None,
        right: bool,
        *,
        realm: str = "/",
    ) -> str:
        """``in``, ``wrong`` or ``wait``."""

        async def check() -> str:
            self.checked += 1
            await asyncio.sleep(0)  # so that those who are sent at once are under way at once
            if not right:
                raise AuthenticationFailed(FAILED, detail="wrong password")
            return "in"

        try:
            return await self.throttling.guarded(realm, account, address, check)
        except TooManyAttempts as refusal:
            return "wait" if 1 <= refusal.retry_after <= LONGEST_WAIT else "wait for ever"
        except AuthenticationFailed:
            return "wrong"

    async def guess(self, account: str | None, address: str | None) -> str:
        return await self.attempt(account, address, right=False)

    async def login(self, account: str | None, address: str | None) -> str:
        return await self.attempt(account, address, right=True)

    async def blocked(self, account: str, address: str | None) -> None:
        """Guess until the pair has to wait."""
        while await self.guess(account, address) != "wait":
            assert self.checked < GUESSES

"""What every ReplayCache must do."""

from __future__ import annotations

import asyncio

from broker.testing.builders import NOW
from broker.testing.expect import same
from broker.testing.stores import StoresUnderTest


class ReplayCacheContract:
    """Inherit, and give it a fixture ``stores``."""

    async def test_only_the_first_owner_spends(self, stores: StoresUnderTest) -> None:
        """A token spent by one request is refused to every other request."""
        same(await stores.replays.spend("jti-1", "request-1", NOW + 60), True)
        same(await stores.replays.spend("jti-1", "request-2", NOW + 60), False)
        same(await stores.replays.spend("jti-1", "request-2", NOW + 900), False)

    async def test_a_retry_may_spend_again(self, stores: StoresUnderTest) -> None:
        """The owner that spent a token may do so again, so that a redelivery is no replay."""
        same(await stores.replays.spend("jti-1", "request-1", NOW + 60), True)
        same(await stores.replays.spend("jti-1", "request-1", NOW + 90), True)
        same(await stores.replays.spend("jti-1", "request-2", NOW + 90), False)

    async def test_tokens_are_told_apart(self, stores: StoresUnderTest) -> None:
        """Spending one token leaves another one unspent, letter case included."""
        same(await stores.replays.spend("jti-a", "request-1", NOW + 60), True)
        same(await stores.replays.spend("jti-A", "request-2", NOW + 60), True)

    async def test_one_of_many_spends_wins(self, stores: StoresUnderTest) -> None:
        """Of twenty concurrent requests with one token, one is let through."""
        spent = await asyncio.gather(
            *(stores.replays.spend("jti-1", f"request-{n}", NOW + 60) for n in range(20))
        )
        same(sum(spent), 1)

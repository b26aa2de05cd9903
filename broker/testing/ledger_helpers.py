"""What the suites of the request ledger share."""

# ruff: noqa: S106 - a token id is no secret

from __future__ import annotations

from dataclasses import replace

from broker.model import Answer, Claim
from broker.testing.builders import NOW, a_claim
from broker.testing.stores import StoresUnderTest

LEASE = 5.0
UNTIL = NOW + 3600.0
LATER = NOW + LEASE
VERY_LATE = NOW + 400 * 24 * 3600.0
"""Long after everything that is kept for a while is forgotten."""


def another_attempt(**changes: object) -> Claim:
    """The same request in the hands of another worker, which drew other values."""
    return replace(
        a_claim(
            token_id="token-2",
            issued_at=NOW + 3,
            expires_at=NOW + 603,
            key_id="key-2",
            entropy=b"x" * 32,
            owner="worker-2",
        ),
        **changes,  # type: ignore[arg-type] # fields of Claim
    )


async def claimed(stores: StoresUnderTest, proposal: Claim, now: float = NOW) -> Claim:
    """The claim that was won; AssertionError for an answer."""
    won = await stores.ledger.claim(proposal, now, LEASE)
    if isinstance(won, Answer):
        raise AssertionError(f"expected a claim, got {won!r}")
    return won

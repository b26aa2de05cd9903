"""The memory stores keep the contract of every store port."""

from __future__ import annotations

import pytest

from adapters.stores import Stores, open_stores
from broker.testing import (
    NOW,
    AttemptStoreContract,
    ConfigurationStoreContract,
    FactorStoreContract,
    InstanceStoreContract,
    JournalContract,
    OutboxContract,
    ReplayCacheContract,
    RequestLedgerContract,
    SessionStoreContract,
    TokenStoreContract,
    UserStoreContract,
)
from tests.contract.roots import ROOT


@pytest.fixture
async def stores() -> Stores:
    return await open_stores("memory://", ROOT)


class TestMemoryTokens(TokenStoreContract):
    pass


class TestMemoryLedger(RequestLedgerContract):
    pass


class TestMemoryAttempts(AttemptStoreContract):
    pass


class TestMemoryReplays(ReplayCacheContract):
    pass


class TestMemorySessions(SessionStoreContract):
    pass


class TestMemoryInstances(InstanceStoreContract):
    pass


class TestMemoryConfiguration(ConfigurationStoreContract):
    pass


class TestMemoryUsers(UserStoreContract):
    pass


class TestMemoryFactors(FactorStoreContract):
    pass


class TestMemoryOutbox(OutboxContract):
    pass


class TestMemoryJournal(JournalContract):
    pass


async def test_spent_tokens_are_forgotten_once_they_ended(stores: Stores) -> None:
    """The reaper drops what has ended and nothing else."""
    await stores.replays.spend("old", "request-1", NOW)
    await stores.replays.spend("new", "request-1", NOW + 1)
    assert await stores.replays.reap(NOW) == 1
    assert await stores.replays.spend("old", "request-2", NOW + 60)
    assert not await stores.replays.spend("new", "request-2", NOW + 60)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "memory:",
        "memory://x",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite:///folder/",
        "sqlite://host/x",
        "sqlite:///x?mode=ro",
        "redis:localhost",
        "postgresql:///x",
    ],
)
async def test_other_urls_are_refused(url: str) -> None:
    """A URL of no known store is refused with a sentence."""
    with pytest.raises(ValueError, match="sqlite:///"):
        await open_stores(url, ROOT)

"""The Redis stores keep the contract of every store port, and their own promises.

All of it as the broker's user with exactly the rights that docs/redis.md gives.
"""

from __future__ import annotations

import pytest

from broker.testing import (
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

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("redis")]


class TestRedisTokens(TokenStoreContract):
    pass


class TestRedisLedger(RequestLedgerContract):
    pass


class TestRedisAttempts(AttemptStoreContract):
    pass


class TestRedisReplays(ReplayCacheContract):
    pass


class TestRedisSessions(SessionStoreContract):
    pass


class TestRedisInstances(InstanceStoreContract):
    pass


class TestRedisConfiguration(ConfigurationStoreContract):
    pass


class TestRedisUsers(UserStoreContract):
    pass


class TestRedisFactors(FactorStoreContract):
    pass


class TestRedisOutbox(OutboxContract):
    pass


class TestRedisJournal(JournalContract):
    pass

"""The stores keep their contract behind Redis Sentinel and in a Redis Cluster, too.

All of it as the broker's user with exactly the rights that docs/redis.md gives.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from adapters.stores import Stores, open_stores
from adapters.stores.redis import load_functions
from adapters.stores.redis_schema import FunctionsMissing, InCluster
from broker.errors import Unavailable
from broker.model import Claim
from broker.testing import (
    NOW,
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
    a_claim,
    a_record,
    an_answer,
)
from tests.contract.roots import ROOT
from tests.support.redis_groups import (
    RedisCluster,
    WatchedRedis,
    running_cluster,
    running_sentinels,
)
from tests.support.redis_rules import documented_cluster_rules, documented_rules

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.xdist_group("redis-groups")]

Group = RedisCluster | WatchedRedis


@pytest.fixture(scope="module", params=["cluster", "sentinel"])
def group(request: pytest.FixtureRequest) -> Iterator[Group]:
    if request.param == "cluster":
        with running_cluster(documented_cluster_rules()) as cluster:
            yield cluster
    else:
        with running_sentinels(documented_rules()) as watched:
            yield watched


@pytest.fixture
async def stores(group: Group) -> AsyncIterator[Stores]:
    group.flush()
    await load_functions(group.administrator_url)
    opened = await open_stores(group.url, ROOT)
    yield opened
    await opened.close()


class TestTokens(TokenStoreContract):
    pass


class TestLedger(RequestLedgerContract):
    pass


class TestReplays(ReplayCacheContract):
    pass


class TestSessions(SessionStoreContract):
    pass


class TestInstances(InstanceStoreContract):
    pass


class TestConfiguration(ConfigurationStoreContract):
    pass


class TestUsers(UserStoreContract):
    pass


class TestFactors(FactorStoreContract):
    pass


class TestOutbox(OutboxContract):
    pass


class TestJournal(JournalContract):
    pass


# -- what only a group can show ------------------------------------------------------------------


async def issue_until_taken(stores: Stores, name: str) -> int:
    """Commit again and again until it succeeds; how often it was Unavailable before."""
    refused = 0
    while True:
        try:
            claim = a_claim(token_id=name, scope=None, request_id=None)
            await stores.ledger.commit(claim, a_record(alias=name, token_id=name), an_answer(), NOW)
        except Unavailable:
            refused += 1
            await asyncio.sleep(0.02)
        else:
            return refused


async def test_a_fail_over_is_followed() -> None:
    """Once Sentinel has named another primary, the same stores write there by themselves."""
    with running_sentinels(documented_rules()) as watched:
        await load_functions(watched.administrator_url)
        stores = await open_stores(watched.url, ROOT)
        assert await issue_until_taken(stores, "before") == 0
        watched.primary.wait_replicated(2)
        watched.primary.kill()
        async with asyncio.timeout(30.0):
            assert await issue_until_taken(stores, "after") > 0
        for name in ("before", "after"):
            assert await stores.tokens.get(name) == a_record(alias=name, token_id=name)
        await stores.close()


async def test_a_cluster_spreads_requests_and_keeps_each_in_one_slot() -> None:
    """Every primary gets a share, and all that belongs to one request is on one of them."""
    with running_cluster(documented_cluster_rules()) as cluster:
        await load_functions(cluster.administrator_url)
        stores = await open_stores(cluster.url, ROOT)
        for number in range(30):
            name = str(number)
            claim = await stores.ledger.claim(a_claim(request_id=name, token_id=name), NOW, 5.0)
            assert isinstance(claim, Claim)
            record = a_record(alias=name, token_id=name)
            await stores.ledger.commit(claim, record, an_answer(), NOW + 60)
        await stores.close()
        shares = [set(server.cli("--scan").split()) for server in cluster.servers]
        for keys in shares:
            requests = {key.removesuffix(":request") for key in keys if key.endswith(":request")}
            assert requests
            assert requests == {
                key.removesuffix(":token") for key in keys if key.endswith(":token")
            }


async def test_one_server_of_a_cluster_is_no_store() -> None:
    """A URL that names it as if it were alone is refused with the one that is needed."""
    with running_cluster(documented_cluster_rules()) as cluster:
        await load_functions(cluster.administrator_url)
        with pytest.raises(InCluster, match=r"redis\+cluster://"):
            await open_stores(cluster.servers[0].url, ROOT)


async def test_a_server_without_functions_is_found_at_the_door() -> None:
    """If one primary of a cluster lacks the functions, the broker does not start."""
    with running_cluster(documented_cluster_rules()) as cluster:
        await load_functions(cluster.administrator_url)
        cluster.servers[2].cli("FUNCTION", "FLUSH")
        with pytest.raises(FunctionsMissing, match="load-functions"):
            await open_stores(cluster.url, ROOT)

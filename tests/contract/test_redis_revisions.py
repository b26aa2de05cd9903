"""Brokers of the revision before go on with these functions, alone and beside those of this one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from adapters.stores import Stores, open_stores
from adapters.stores.redis import stores_on
from adapters.stores.redis_schema import function
from adapters.stores.redis_urls import link_to
from broker.errors import ClaimLost, RequestInProgress, TooManyAttempts
from broker.model import Answer, Claim
from broker.ports import TokenQuery
from broker.testing import (
    NOW,
    OutboxContract,
    RequestLedgerContract,
    TokenStoreContract,
    a_claim,
    a_record,
    an_announcement,
    an_answer,
)
from tests.contract.redis_revision_3 import Revision3
from tests.contract.roots import ROOT
from tests.support.redis_server import RedisServer

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("redis")]

LATE = NOW + 10_000.0
LEASE = 5.0
REQUESTS = 20
QUOTA = 7


@pytest.fixture
async def new(redis: RedisServer) -> AsyncIterator[Stores]:
    """Those of a broker of this revision."""
    opened = await open_stores(redis.url, ROOT)
    yield opened
    await opened.close()


@pytest.fixture
async def said() -> set[str]:
    """The functions that the broker of the revision before called."""
    return set()


@pytest.fixture
async def stores(redis: RedisServer, new: Stores, said: set[str]) -> AsyncIterator[Stores]:
    """Those of a broker of the revision before."""
    link = link_to(redis.url)
    commands = Revision3(link)
    commands.said = said
    opened = stores_on(link, commands, new.deployment)
    yield opened
    await opened.close()


class TestLedger(RequestLedgerContract):
    pass


class TestTokens(TokenStoreContract):
    pass


class TestOutbox(OutboxContract):
    pass


async def _settled(stores: Stores, claim: Claim) -> None:
    """Its token, its answer and its announcement, all named after the request."""
    name = str(claim.request_id)
    record = a_record(alias=name, token_id=claim.token_id)
    request = (str(claim.scope), name)
    announcement = an_announcement(id=f"issued {name}", request=request, alias=name)
    answer = an_answer(token_id=claim.token_id)
    await stores.ledger.commit(claim, record, answer, NOW + 3600, announcement)


async def test_the_broker_before_calls_none_of_the_new_functions(
    stores: Stores, said: set[str]
) -> None:
    """What these tests send is what it sent: a step for each thing."""
    claim = await stores.ledger.claim(a_claim(), NOW, LEASE, QUOTA)
    assert isinstance(claim, Claim)
    await _settled(stores, claim)
    unstored = a_claim(token_id="b", scope=None, request_id=None)
    beside = a_record(alias="b", token_id="b")
    await stores.ledger.commit(unstored, beside, an_answer(), NOW, an_announcement(alias="b"))
    steps = ("schedule", "claim", "point", "index", "expect", "commit", "add")
    assert said == {function(name) for name in steps}


async def test_a_request_that_both_are_asked_has_one_token(stores: Stores, new: Stores) -> None:
    """Each of many requests is claimed by a broker of one revision and one of the other at once:
    one of them gets it, the other waits and then has its answer, and each token is found by every
    name and announced once."""

    async def asked(side: Stores, request: str, owner: str) -> str:
        proposal = a_claim(request_id=request, token_id=f"{request} {owner}", owner=owner)
        async with asyncio.timeout(30):
            while True:
                try:
                    claimed = await side.ledger.claim(proposal, NOW, LEASE)
                except RequestInProgress:
                    await asyncio.sleep(0)
                    continue
                if isinstance(claimed, Answer):
                    return str(claimed.token_id)
                await _settled(side, claimed)
                return claimed.token_id

    names = [f"request-{n}" for n in range(REQUESTS)]
    both = [asyncio.gather(asked(stores, name, "old"), asked(new, name, "new")) for name in names]
    tokens = await asyncio.gather(*both)
    assert all(one == other for one, other in tokens)
    for side in (stores, new):
        for query in (TokenQuery(), TokenQuery(principal="alice"), TokenQuery(key_id="key-1")):
            assert [record.alias for record in await side.tokens.query(query)] == sorted(names)
    due = await new.outbox.due(LATE, LEASE, 10 * REQUESTS)
    assert sorted(each.id for each in due) == sorted(f"issued {name}" for name in names)


@pytest.mark.parametrize("first", ["old", "new"])
async def test_one_takes_over_from_the_other(stores: Stores, new: Stores, first: str) -> None:
    """The request of a broker that died goes on with its token id under the next epoch, whichever
    of the two died, and the dead one's commit is refused."""
    dead, alive = (stores, new) if first == "old" else (new, stores)
    lost = await dead.ledger.claim(a_claim(), NOW, LEASE)
    other = a_claim(token_id="token-2", owner="worker-2")
    taken = await alive.ledger.claim(other, NOW + LEASE, LEASE)
    assert isinstance(lost, Claim)
    assert isinstance(taken, Claim)
    assert (taken.token_id, taken.epoch) == (lost.token_id, 2)
    with pytest.raises(ClaimLost):
        await _settled(dead, lost)
    await _settled(alive, taken)
    assert isinstance(await dead.ledger.claim(a_claim(), NOW + 20, LEASE), Answer)


async def test_both_count_new_requests_in_one_place(stores: Stores, new: Stores) -> None:
    """A scope has one quota, however its requests are spread over the two."""
    sides = (stores, new)
    for number in range(QUOTA):
        side = sides[number % 2]
        await side.ledger.claim(a_claim(request_id=f"r-{number}"), NOW, LEASE, QUOTA)
    for side in sides:
        with pytest.raises(TooManyAttempts):
            await side.ledger.claim(a_claim(request_id="over"), NOW, LEASE, QUOTA)


async def test_a_claim_that_its_repetition_overtook_changes_nothing(new: Stores) -> None:
    """A call that was given up may reach Redis after the one that repeats it: the claim is still
    the attempt's own, under the epoch that it knows, and nobody else has it."""
    repeated = await new.ledger.claim(a_claim(), NOW + 2.0, LEASE)
    late = await new.ledger.claim(a_claim(), NOW, LEASE)
    assert late == repeated
    with pytest.raises(RequestInProgress):
        await new.ledger.claim(a_claim(owner="worker-2"), NOW + 2.0, LEASE)
    assert isinstance(repeated, Claim)
    await _settled(new, repeated)
    assert await new.tokens.get("request-1") is not None

"""A translation whose Redis fails at one exact point: rows F22 to F26 and F29 of the failures that
the broker must survive, each with its number in the test's name.

Connections are cut by a proxy between a command and its reply. F33, a caller that goes away, is in
``test_redis_commands``.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.stores import Stores, Terms, open_stores
from adapters.stores.redis import load_functions
from adapters.stores.redis_schema import function
from broker.errors import ClaimLost, OutcomeUnknown, Unavailable
from broker.model import Answer, TokenRecord
from broker.ports import TokenQuery
from tests.broker.world import World
from tests.contract.redis_helpers import keys_in
from tests.contract.roots import ROOT
from tests.support import door as doors
from tests.support.cutting_proxy import CuttingProxy, cutting_proxy
from tests.support.door import ID_TOKEN, user_input
from tests.support.planted import Planted
from tests.support.redis_groups import running_sentinels
from tests.support.redis_rules import documented_rules
from tests.support.redis_server import RedisServer, running_redis

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("redis")]

CLAIM, COMMIT, ISSUE = map(function, ("claim_whole", "commit_whole", "issue_whole"))
REQUESTERS = pytest.mark.parametrize("requester", ["alice", None], ids=["requester", "stranger"])
RECOVERY_SECONDS = 0.3
WAIT_MILLISECONDS = 100


@pytest.fixture
async def proxy(redis: RedisServer) -> AsyncIterator[CuttingProxy]:
    async with cutting_proxy(redis.port) as running:
        yield running


@pytest.fixture
async def stores(redis: RedisServer, proxy: CuttingProxy) -> AsyncIterator[Stores]:
    opened = await open_stores(_behind(redis, proxy), ROOT)
    yield opened
    await opened.close()


@pytest.fixture
def world(stores: Stores) -> World:
    return World(stores)


def _behind(redis: RedisServer, proxy: CuttingProxy) -> str:
    return redis.url.replace(str(redis.port), str(proxy.port))


def _requests_in(redis: RedisServer) -> list[str]:
    return [key for key in keys_in(redis) if key.endswith(":request")]


async def _token(world: World) -> TokenRecord:
    """The only one there is."""
    (record,) = await world.store.tokens.query(TokenQuery())
    return record  # type: ignore[no-any-return]  # the world knows no more of its store


async def _answered_again(world: World, requester: str | None, answer: Answer) -> None:
    """The same request gets the same answer out of the store, and there is its token alone, with
    its announcement."""
    again = await world.ask(requester)
    assert (again.status, again.body) == (200, answer.body)
    assert world.audit.records[-1].attempt.replayed
    assert (await _token(world)).token_id == answer.token_id
    due = await world.store.outbox.due(world.clock.now() + 1000, 5.0, 10)
    assert [each.id for each in due] == [f"TokenIssued {answer.token_id}"]


@REQUESTERS
async def test_f22_redis_away_before_the_claim(
    world: World, redis: RedisServer, proxy: CuttingProxy, requester: str | None
) -> None:
    """Nothing is written and the caller hears 503; once Redis is back the request is done."""
    proxy.cut_at(CLAIM, applied=False, times=2)
    with pytest.raises(Unavailable):
        await world.ask(requester)
    assert proxy.cuts == 2
    assert _requests_in(redis) == []
    answer = await world.ask(requester)
    await _answered_again(world, requester, answer)


@REQUESTERS
@pytest.mark.parametrize("applied", [True, False], ids=["applied", "not applied"])
async def test_f23_the_reply_to_a_claim_is_lost(
    world: World, proxy: CuttingProxy, requester: str | None, applied: bool
) -> None:
    """The same attempt goes on at once, with the token of the first claim, under its epoch."""
    proxy.cut_at(CLAIM, applied=applied)
    answer = await world.ask(requester)
    assert proxy.cuts == 1
    assert [claim.epoch for claim in world.claims] == [1]
    await _answered_again(world, requester, answer)


async def test_f23_the_claim_of_a_lost_reply_is_counted_once(
    stores: Stores, proxy: CuttingProxy
) -> None:
    """Asking again for one's own claim takes nothing of the quota."""
    world = World(stores, requests_per_hour=2)
    proxy.cut_at(CLAIM, applied=True)
    for number in range(2):
        world.ended.clear()
        assert (await world.ask("alice", f"r-{number}")).status == 200
    assert proxy.cuts == 1


@REQUESTERS
async def test_f24_the_reply_to_a_commit_is_lost(
    world: World, proxy: CuttingProxy, requester: str | None
) -> None:
    """The attempt reads what it has committed, and that is its answer."""
    proxy.cut_at(COMMIT, applied=True)
    answer = await world.ask(requester)
    assert (answer.status, proxy.cuts) == (200, 1)
    assert len(world.events.events) == 1
    await _answered_again(world, requester, answer)


@REQUESTERS
async def test_f24_redis_stays_away_after_the_commit(
    world: World, proxy: CuttingProxy, requester: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The caller hears 503 in a bounded time; its retry gets the stored answer."""
    monkeypatch.setattr("broker.claiming.RECOVERY_SECONDS", RECOVERY_SECONDS)
    proxy.cut_at(COMMIT, applied=True)
    asking = asyncio.create_task(world.ask(requester))
    await proxy.cut.wait()
    proxy.away = True
    with pytest.raises(OutcomeUnknown):
        await asking
    proxy.away = False
    record = await _token(world)
    answer = await world.ask(requester)
    assert answer.token_id == record.token_id
    await _answered_again(world, requester, answer)


@REQUESTERS
async def test_f25_a_commit_does_not_arrive(
    world: World, proxy: CuttingProxy, requester: str | None
) -> None:
    """The attempt commits again: the token of its claim, under the same epoch."""
    proxy.cut_at(COMMIT, applied=False)
    answer = await world.ask(requester)
    assert (answer.status, proxy.cuts) == (200, 1)
    assert [claim.epoch for claim in world.claims] == [1]
    assert answer.token_id == world.claims[0].token_id
    await _answered_again(world, requester, answer)


async def test_f25_redis_is_killed_before_the_commit() -> None:
    """A Redis that comes back within the time of a request is nothing to its caller."""
    with running_redis(documented_rules()) as mortal:
        mortal.empty()
        stores = await open_stores(mortal.url, ROOT)
        world = World(stores)

        async def kill() -> None:
            world.on_validate = None
            mortal.kill()
            mortal.launch()

        world.on_validate = kill
        answer = await world.ask()
        await _answered_again(world, "alice", answer)
        await stores.close()


async def test_without_an_id_an_unknown_outcome_is_503(world: World, proxy: CuttingProxy) -> None:
    """There is nothing to ask by: the record may stay, of a token that nobody holds, and ends."""
    proxy.cut_at(ISSUE, applied=True)
    with pytest.raises(Unavailable):
        await world.ask(request_id=None)
    assert proxy.cuts == 1
    record = await _token(world)
    assert await world.store.tokens.reap(record.expires_at) == [record]


@REQUESTERS
async def test_f29_a_lost_claim_is_made_again(
    world: World, redis: RedisServer, requester: str | None
) -> None:
    """Whatever a fail-over has dropped, the redelivered request gets a token with the same id."""
    first = await world.ask(requester)
    world.ended.clear()
    redis.cli("DEL", *(key for key in keys_in(redis) if key.endswith((":request", ":token"))))
    world.clock.advance(7)
    again = await world.ask(requester)
    assert again.token_id == first.token_id
    assert [claim.epoch for claim in world.claims] == [1, 1]
    await _answered_again(world, requester, again)


async def test_f29_the_owner_of_a_lost_claim_cannot_commit(
    world: World, redis: RedisServer
) -> None:
    """If another attempt has made the lost claim anew, epochs begin at 1 again: the name of the
    owner keeps the first one out."""

    async def fail_over() -> None:
        redis.cli("DEL", *_requests_in(redis))
        other = replace(world.claims[0], owner="worker-2", epoch=0)
        again = await world.store.ledger.claim(other, world.clock.now(), 5.0)
        assert again == replace(other, epoch=1)

    world.on_validate = fail_over
    with pytest.raises(ClaimLost):
        await world.ask()
    assert await world.store.tokens.query(TokenQuery()) == []


async def test_f29_no_answer_is_given_that_no_replica_has(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where replicas are waited for, the answer that the primary alone has is not read back: not
    by the attempt that committed it, nor by a retry, until the replicas follow."""
    monkeypatch.setattr("broker.claiming.RECOVERY_SECONDS", RECOVERY_SECONDS)
    monkeypatch.setattr("adapters.stores.redis_links.WAIT_MILLISECONDS", WAIT_MILLISECONDS)
    with running_sentinels(f"{documented_rules()} +wait +info") as watched:
        await load_functions(watched.administrator_url)
        stores = await open_stores(watched.url, ROOT, terms=Terms(wait_replicas=1))
        world = World(stores)

        async def hold_back() -> None:
            world.on_validate = None
            watched.hold_replicas_back()

        world.on_validate = hold_back
        with pytest.raises(OutcomeUnknown):
            await world.ask("alice")
        for requester in ("alice", None):
            with pytest.raises(Unavailable):
                await world.ask(requester)
        watched.let_replicas_follow()
        answer = await _once_available(world, "alice")
        assert answer.token_id == world.claims[0].token_id
        await _answered_again(world, "alice", answer)
        await stores.close()


async def _once_available(world: World, requester: str | None) -> Answer:
    async with asyncio.timeout(30.0):
        while True:
            with contextlib.suppress(Unavailable):
                return await world.ask(requester)
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("applied", [True, False], ids=["applied", "not applied"])
@pytest.mark.parametrize("word", [CLAIM, COMMIT], ids=["claim", "commit"])
async def test_at_the_front_door_one_lost_reply_is_not_seen(
    redis: RedisServer,
    proxy: CuttingProxy,
    tmp_path: Path,
    planted: Planted,
    word: str,
    applied: bool,
) -> None:
    """A caller over HTTP gets its token, and the same again; there is one."""
    store = {"url": _behind(redis, proxy)}
    async with doors.opened(tmp_path / "state", planted, store=store) as door:
        head = {"Idempotency-Key": "k"}
        proxy.cut_at(word, applied=applied)
        first = await door.translate(user_input(), ID_TOKEN, headers=head)
        again = await door.translate(user_input(), ID_TOKEN, headers=head)
        assert (first.status, proxy.cuts) == (200, 1)
        assert again.text == first.text
        assert len(await door.tokens()) == 1


async def test_at_the_front_door_an_absent_redis_is_503_with_retry_after(
    redis: RedisServer, proxy: CuttingProxy, tmp_path: Path, planted: Planted
) -> None:
    """The caller is told when to come back, and is served then."""
    store = {"url": _behind(redis, proxy)}
    async with doors.opened(tmp_path / "state", planted, store=store) as door:
        head = {"Idempotency-Key": "k"}
        proxy.cut_at(CLAIM, applied=False, times=2)
        refused = await door.translate(user_input(), ID_TOKEN, headers=head)
        assert (refused.status, refused.headers["Retry-After"]) == (503, "1")
        assert (await door.translate(user_input(), ID_TOKEN, headers=head)).status == 200

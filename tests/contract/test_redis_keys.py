"""What stands under which key in Redis, how it is found, and that it goes away."""

from __future__ import annotations

import asyncio

import pytest

from adapters.stores import Stores, open_stores
from adapters.stores.redis_tokens import REAP_PAGE, REAPED_AT_ONCE
from broker.errors import Conflict, InvalidRequest
from broker.model import Claim, Secret
from broker.ports import TokenQuery
from broker.testing import (
    NOW,
    a_claim,
    a_factor,
    a_record,
    a_session,
    a_user,
    an_answer,
    an_instance_document,
)
from tests.contract.redis_helpers import entries_in, issue, issue_claimed, keys_in
from tests.contract.roots import ROOT
from tests.support.redis_server import RedisServer

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("redis")]


# -- keys ----------------------------------------------------------------------------------------


async def test_no_name_of_a_key_comes_from_a_caller(redis: RedisServer, stores: Stores) -> None:
    """Ids full of what Redis reads as syntax get into no key, and are told apart."""
    for name in ("x}{y", "*", "a b\r\nFLUSHALL\r\n", "\0"):
        await issue_claimed(stores, name)
        await stores.replays.spend(name, name, NOW + 60)
        await stores.sessions.put(a_session(id=Secret(name)))
        await stores.users.put(a_user(name=name, realm=name))
        assert await stores.users.get(name, name) == a_user(name=name, realm=name)
    keys = redis.cli("--scan").splitlines()
    assert len([key for key in keys if key.endswith(":request")]) == 4
    for key in keys:
        prefix, tag, kind = key.replace("}", "{").split("{")
        assert prefix == "remint:"
        assert tag.replace("-", "").replace("_", "").isalnum()
        assert kind[1:].isalpha()


async def test_everything_but_the_configuration_ends_by_itself(
    redis: RedisServer, stores: Stores
) -> None:
    """Every key has a time to live, save instances, users, their factors and the store's
    marker."""
    await issue(stores, "a")
    await issue_claimed(stores, "b")
    await stores.ledger.claim(a_claim(request_id="open"), NOW, 5.0)
    await stores.sessions.put(a_session())
    await stores.sessions.touch(Secret("session-1"), NOW + 60)
    await stores.replays.spend("jti", "request-1", NOW + 60)
    await stores.instances.create(an_instance_document())
    await stores.users.put(a_user())
    await stores.factors.swap(None, a_factor(expires_at=NOW + 60))
    lasting = {key for key in keys_in(redis) if int(redis.cli("TTL", key)) < 0}
    kinds = {key.rpartition(":")[2] for key in lasting}
    assert kinds == {"documents", "generation", "users", "factors", "meta"}
    assert len(keys_in(redis)) >= len(lasting) + 10


@pytest.mark.parametrize("issue_one", [issue, issue_claimed])
async def test_a_cancelled_token_leaves_nothing_behind(
    redis: RedisServer, stores: Stores, issue_one: object
) -> None:
    """With its record go its pointer and its index entries."""
    await issue_one(stores, "a")  # type: ignore[operator] # one of the two above
    assert entries_in(redis, "index") == 5
    assert await stores.tokens.cancel("a")
    assert entries_in(redis, "index") == entries_in(redis, "expiry") == 0
    assert [key for key in keys_in(redis) if key.endswith((":token", ":home"))] == []


@pytest.mark.parametrize("issue_one", [issue, issue_claimed])
async def test_a_reaped_token_leaves_nothing_behind(
    redis: RedisServer, stores: Stores, issue_one: object
) -> None:
    """With its record go its pointer and its index entries."""
    await issue_one(stores, "a")  # type: ignore[operator] # one of the two above
    assert len(await stores.tokens.reap(NOW + 600)) == 1
    assert entries_in(redis, "index") == entries_in(redis, "expiry") == 0
    assert [key for key in keys_in(redis) if key.endswith((":token", ":home"))] == []


async def test_index_entries_without_a_record_are_dropped_when_old(
    redis: RedisServer, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A listing drops what lost its record, but not what may yet get one."""
    await issue(stores, "a", parent="p")
    await issue(stores, "b", parent="p")
    (key, *_) = [key for key in keys_in(redis) if key.endswith(":token")]
    redis.cli("DEL", key)
    assert len(await stores.tokens.query(TokenQuery())) == 1
    assert entries_in(redis, "index") == 12
    monkeypatch.setattr("adapters.stores.redis_tokens.UNWRITTEN_SECONDS", -5)
    for query in (
        TokenQuery(),
        TokenQuery(instance="demo"),
        TokenQuery(principal="alice"),
        TokenQuery(realm="/"),
        TokenQuery(key_id="key-1"),
        TokenQuery(parent="p"),
    ):
        assert len(await stores.tokens.query(query)) == 1
    assert entries_in(redis, "index") == 6


async def test_the_reaper_forgets_what_lost_its_record(
    redis: RedisServer, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An expired entry without a record goes a minute later, with its names; those by key and by
    parent, which only the record knew, go when the reaper comes across them."""
    await issue(stores, "a", parent="p")
    (key,) = [key for key in keys_in(redis) if key.endswith(":token")]
    redis.cli("DEL", key)
    assert await stores.tokens.reap(NOW + 600) == []
    assert entries_in(redis, "expiry") == 1
    assert await stores.tokens.reap(NOW + 660) == []
    assert (entries_in(redis, "index"), entries_in(redis, "expiry")) == (2, 0)
    monkeypatch.setattr("adapters.stores.redis_tokens.UNWRITTEN_SECONDS", -5)
    assert await stores.tokens.reap(NOW + 660) == []
    assert await stores.tokens.reap(NOW + 660) == []
    assert entries_in(redis, "index") == 0


async def test_the_reaper_comes_across_every_name(
    redis: RedisServer, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Turn by turn it looks through more names than one turn takes, and leaves those in use."""
    monkeypatch.setattr("adapters.stores.redis_tokens.UNWRITTEN_SECONDS", -5)
    monkeypatch.setattr("adapters.stores.redis_sweep.NAMES_AT_ONCE", 3)
    names = [f"{n:03}" for n in range(200)]
    await asyncio.gather(*(issue(stores, name, parent="p") for name in names))
    lost = [key for key in keys_in(redis) if key.endswith(":token")][:150]
    redis.cli("DEL", *lost)
    for _ in range(40):
        await stores.tokens.reap(NOW)
    assert entries_in(redis, "index") == 200 * 6 - 150 * 2
    for query in (TokenQuery(key_id="key-1"), TokenQuery(parent="p")):
        assert len(await stores.tokens.query(query)) == 50


async def test_pages_are_complete_over_all_shards(stores: Stores) -> None:
    """Pages of every size show 300 tokens in order, each once, the claimed ones included."""
    names = [f"{n:03}" for n in range(300)]
    await asyncio.gather(
        *(issue(stores, name, principal="odd" if int(name) % 2 else "even") for name in names)
    )
    for limit in (1, 7, 1000):
        seen: list[str] = []
        query = TokenQuery(principal="odd", limit=limit)
        while page := await stores.tokens.query(query):
            assert len(page) <= limit
            seen += [record.alias for record in page]
            query = TokenQuery(principal="odd", limit=limit, after=seen[-1])
        assert seen == names[1::2]
    assert await stores.tokens.query(TokenQuery(limit=0)) == []


async def test_a_pointer_never_moves_to_another_token(stores: Stores) -> None:
    """The alias of a claimed token is refused to any other token, claimed or not."""
    await issue_claimed(stores, "a")
    with pytest.raises(Conflict):
        await issue(stores, "a", token_id="other")
    claim = await stores.ledger.claim(a_claim(request_id="b", token_id="b"), NOW, 5.0)
    assert isinstance(claim, Claim)
    with pytest.raises(Conflict):
        await stores.ledger.commit(claim, a_record(alias="a", token_id="b"), an_answer(), NOW)
    assert await stores.tokens.get("a") == a_record(alias="a", token_id="a")


async def test_a_refused_token_of_the_same_alias_hides_none(stores: Stores) -> None:
    """What a refused commit left in the indexes does not keep the token from being reaped."""
    await issue_claimed(stores, "a")
    with pytest.raises(Conflict):
        await issue(stores, "a", token_id="other", instance="other")
    assert await stores.tokens.query(TokenQuery(instance="other")) == []
    assert await stores.tokens.reap(NOW + 600) == [a_record(alias="a", token_id="a")]


async def test_what_was_reaped_is_reported_though_redis_went_away(
    redis: RedisServer, stores: Stores
) -> None:
    """Records that were removed before Redis refused further work are returned, not lost."""
    names = [f"{n:03}" for n in range(100)]
    await asyncio.gather(*(issue(stores, name) for name in names))
    redis.cli("ACL", "SETUSER", "remint", "-zremrangebylex")
    try:
        first = await stores.tokens.reap(NOW + 600)
    finally:
        redis.cli("ACL", "SETUSER", "remint", "+zremrangebylex")
    assert 0 < len(first) < 100
    second = await stores.tokens.reap(NOW + 600)
    assert sorted(record.alias for record in first + second) == names


async def test_what_one_call_reaps_stays_small(stores: Stores) -> None:
    """However many are due, a call stops soon after its limit, and the next ones find the rest."""
    names = [f"{n:04}" for n in range(REAPED_AT_ONCE + 300)]
    await asyncio.gather(*(issue(stores, name) for name in names))
    reaped: list[str] = []
    while found := await stores.tokens.reap(NOW + 600):
        assert len(found) < REAPED_AT_ONCE + REAP_PAGE
        reaped += [record.alias for record in found]
    assert sorted(reaped) == names


async def test_reapers_share_expired_claimed_tokens(redis: RedisServer, stores: Stores) -> None:
    """Two brokers that reap at once report each token once."""
    second = await open_stores(redis.url, ROOT)
    await asyncio.gather(*(issue_claimed(stores, f"{n:03}") for n in range(200)))
    reaped = await asyncio.gather(*(s.tokens.reap(NOW + 600) for s in (stores, second)))
    aliases = sorted(record.alias for part in reaped for record in part)
    assert aliases == [f"{n:03}" for n in range(200)]
    await second.close()


async def test_names_that_are_no_text_are_refused(stores: Stores) -> None:
    """A request id with a lone surrogate is the caller's mistake, not a failure of the store."""
    with pytest.raises(InvalidRequest):
        await stores.ledger.claim(a_claim(request_id="\ud800"), NOW, 5.0)
    await issue(stores, "a")


async def test_spent_tokens_are_forgotten_once_they_ended(stores: Stores) -> None:
    """The reaper drops what has ended and nothing else."""
    await stores.replays.spend("old", "request-1", NOW)
    await stores.replays.spend("new", "request-1", NOW + 1)
    assert await stores.replays.reap(NOW) == 1
    assert await stores.replays.spend("old", "request-2", NOW + 60)
    assert not await stores.replays.spend("new", "request-2", NOW + 60)

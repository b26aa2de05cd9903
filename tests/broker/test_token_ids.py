"""The id of a token comes from its request: a store that forgets a claim changes nothing."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.stores import TOMBSTONE_SECONDS
from adapters.stores.memory import open_memory
from broker.errors import Gone
from broker.model import TokenRecord
from broker.pipeline import DEFAULT_ANSWERS_TTL_SECONDS
from broker.ports import TokenQuery
from tests.broker.world import LIFETIME_SECONDS, World


async def _records(world: World) -> list[TokenRecord]:
    return list(await world.store.tokens.query(TokenQuery()))


def _another(world: World) -> World:
    """A broker of the same deployment whose store has lost everything."""
    return World(open_memory(), clock=world.clock, owner="worker-2")


@pytest.mark.parametrize("requester", ["alice", None])
async def test_a_lost_claim_is_made_again_with_the_same_token_id(
    world: World, requester: str | None
) -> None:
    """The same request at a store that knows nothing of it gets a token with the same id (F29)."""
    first = await world.ask(requester)
    other = _another(world)
    other.clock.advance(3)
    again = await other.ask(requester)
    assert again.token_id == first.token_id
    assert again.body != first.body, "its times are those of the new claim"


@pytest.mark.parametrize(
    "changes",
    [
        {"request_id": "r-2"},
        {"requester": "bob"},
        {"requester": None},
        {"instance": "j"},
        {"token": b"other"},
    ],
)
async def test_another_request_has_another_token_id(world: World, changes: dict[str, Any]) -> None:
    """Id, requester, instance and subject token all go into the token's id."""
    first = await world.ask()
    assert (await _another(world).ask(**changes)).token_id != first.token_id


async def test_the_key_makes_the_token_id(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has not got the deployment's key cannot know a token's id from its request."""
    first = await world.ask()
    other = _another(world)
    monkeypatch.setattr(other.pipeline._proposals, "_fingerprint_key", b"o" * 32)
    assert (await other.ask()).token_id != first.token_id


async def test_requests_without_an_id_share_no_token_id(world: World) -> None:
    """The same request without an id is a new request each time."""
    first = await world.ask(request_id=None)
    world.ended.clear()
    assert (await world.ask(request_id=None)).token_id != first.token_id


async def test_a_stored_claim_outranks_the_key(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A claim that stands in the store keeps the id it has, however that was made."""
    world.validating.append(OSError())
    with pytest.raises(OSError):  # noqa: PT011  # nothing to match
        await world.ask()
    monkeypatch.setattr("broker.idempotency.entropy", lambda *_: b"z" * 32)
    assert (await world.ask()).token_id == world.claims[0].token_id


async def test_a_request_id_used_again_after_all_was_forgotten(world: World) -> None:
    """Until then it is a 410. Afterwards the same request gets a token with the id of the one that
    has expired, and a record of its own; the old token stays invalid."""
    first = await world.ask()
    world.ended.clear()
    (old,) = await _records(world)
    world.clock.advance(DEFAULT_ANSWERS_TTL_SECONDS + TOMBSTONE_SECONDS - 1)
    await world.store.ledger.reap(world.clock.now())
    with pytest.raises(Gone):
        await world.ask()
    world.clock.advance(1)
    await world.store.tokens.reap(world.clock.now())
    await world.store.ledger.reap(world.clock.now())
    again = await world.ask()
    assert again.token_id == first.token_id
    (new,) = await _records(world)
    assert (new.token_id, new.alias == old.alias) == (old.token_id, False)
    assert new.expires_at == int(world.clock.now()) + LIFETIME_SECONDS
    assert await world.store.tokens.get(old.alias) is None


async def test_an_expired_record_that_is_still_there_is_in_nobody_s_way(world: World) -> None:
    """If no reaper came by, the record of the expired token stands beside the new one."""
    await world.ask()
    world.ended.clear()
    world.clock.advance(DEFAULT_ANSWERS_TTL_SECONDS + TOMBSTONE_SECONDS)
    await world.store.ledger.reap(world.clock.now())
    again = await world.ask()
    assert again.status == 200
    assert len(await _records(world)) == 2
    assert len(await world.store.tokens.reap(world.clock.now())) == 1
    assert [record.expires_at for record in await _records(world)] == [again.expires_at]

"""A claim names a key. What becomes of it when that key is revoked or gone before it signed."""

from __future__ import annotations

import pytest

from adapters.stores.memory import open_memory
from broker.errors import KeyUnavailable
from broker.ports import TokenQuery
from tests.broker.world import FakeKeys, World


@pytest.fixture
def world() -> World:
    return World(open_memory(), keys=FakeKeys(["key-1"]))


def _revoked(keys: FakeKeys) -> None:
    keys.withdrawn.add("key-1")


def _dropped(keys: FakeKeys) -> None:
    keys.known.remove("key-1")


WITHDRAWN = pytest.mark.parametrize("withdraw", [_revoked, _dropped])


async def _key_of_the_token(world: World) -> str | None:
    """Of the only one there is; the audit says the same."""
    (record,) = await world.store.tokens.query(TokenQuery())
    assert world.audit.records[-1].attempt.key_id == record.key_id
    return str(record.key_id)


async def test_a_claim_keeps_its_key_while_that_may_sign(world: World) -> None:
    """A key that was only retired signs what was claimed under it."""
    assert world.keys is not None
    world.committing.append(OSError())
    with pytest.raises(OSError):  # noqa: PT011  # nothing to match
        await world.ask()
    world.keys.known.append("key-2")
    answer = await world.ask()
    assert str(answer.body["issued_token"]).endswith(".key-1")
    assert await _key_of_the_token(world) == "key-1"


@WITHDRAWN
async def test_a_claim_taken_over_gets_the_key_of_today(world: World, withdraw: object) -> None:
    """The next attempt signs with another key, under the same id: nobody had that token."""
    assert world.keys is not None
    world.committing.append(OSError())
    with pytest.raises(OSError):  # noqa: PT011  # nothing to match
        await world.ask()
    token_id = world.audit.records[-1].attempt.token_id
    world.keys.known.append("key-2")
    withdraw(world.keys)  # type: ignore[operator]  # one of the two above
    answer = await world.ask()
    assert str(answer.body["issued_token"]).endswith(".key-2")
    assert answer.token_id == token_id
    assert await _key_of_the_token(world) == "key-2"


@WITHDRAWN
@pytest.mark.parametrize("request_id", ["r-1", None])
async def test_a_key_withdrawn_between_claim_and_signature_signs_nothing(
    world: World, withdraw: object, request_id: str | None
) -> None:
    """The same attempt goes on with the key of today, with an id or without."""
    keys = world.keys
    assert keys is not None

    async def rotate() -> None:
        keys.known.append("key-2")
        withdraw(keys)  # type: ignore[operator]  # one of the two above

    world.on_validate = rotate
    answer = await world.ask(request_id=request_id)
    assert str(answer.body["issued_token"]).endswith(".key-2")
    assert await _key_of_the_token(world) == "key-2"


@WITHDRAWN
async def test_no_key_at_all_is_no_answer_to_keep(world: World, withdraw: object) -> None:
    """If no key is left the request is refused, and done once there is one: the refusal is not
    stored, and the session stands."""
    keys = world.keys
    assert keys is not None

    async def withdraw_all() -> None:
        withdraw(keys)  # type: ignore[operator]  # one of the two above

    world.on_validate = withdraw_all
    with pytest.raises(KeyUnavailable):
        await world.ask()
    assert world.ended == []
    world.on_validate = None
    with pytest.raises(KeyUnavailable):
        await world.ask()
    keys.known.append("key-2")
    answer = await world.ask()
    assert str(answer.body["issued_token"]).endswith(".key-2")


async def test_a_claim_left_for_long_gets_the_key_of_today(world: World) -> None:
    """With the times of an expired claim goes its key, though that could still sign."""
    assert world.keys is not None
    world.committing.append(OSError())
    with pytest.raises(OSError):  # noqa: PT011  # nothing to match
        await world.ask()
    world.keys.known.append("key-2")
    world.clock.advance(3600)
    answer = await world.ask()
    assert str(answer.body["issued_token"]).endswith(".key-2")

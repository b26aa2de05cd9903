"""One message id from one requester is one request, however often it arrives."""

from __future__ import annotations

import pytest

from tests.amqp.caller import Caller, translation
from tests.support.door import ASSERTION, ID_TOKEN, Door, user_input

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("rabbitmq")]


@pytest.mark.parametrize("wanted", [ID_TOKEN, ASSERTION], ids=["id-token", "assertion"])
async def test_repeated_request(amqp: Door, alice: Caller, wanted: dict[str, object]) -> None:
    """A repeated request gets the same bytes again, and there is one token record."""
    body = translation(user_input(), wanted)
    first = await alice.ask(body, message_id="m-1")
    second = await alice.ask(body, message_id="m-1")
    assert first.status == second.status == 200
    assert first.raw == second.raw
    assert first.headers == second.headers
    assert len(await amqp.tokens()) == 1


async def test_other_body_under_the_same_id(amqp: Door, alice: Caller) -> None:
    """A message id that was used for another request is refused with 409."""
    await alice.ask(translation(user_input(), ID_TOKEN), message_id="m-1")
    reply = await alice.ask(translation(user_input(), ASSERTION), message_id="m-1")
    assert (reply.status, reply.body["code"]) == (409, 409)
    assert reply.headers["retry"] == "never"
    assert len(await amqp.tokens()) == 1


async def test_another_requester_has_ids_of_its_own(
    amqp: Door, alice: Caller, mallory: Caller
) -> None:
    """The same message id from two requesters is two requests, and neither hears of the other."""
    hers = await alice.ask(translation(user_input(), ID_TOKEN), message_id="m-1")
    other = await mallory.ask(translation(user_input(), ID_TOKEN), message_id="m-1")
    assert hers.status == other.status == 200
    assert hers.headers["token-id"] != other.headers["token-id"]


async def test_a_refusal_is_an_answer(amqp: Door, alice: Caller) -> None:
    """A refused request stays refused under its id, with the same bytes, even if it would pass."""
    body = translation(user_input(name="late"), ID_TOKEN)
    first = await alice.ask(body, message_id="m-1")
    await amqp.add_user("late")
    second = await alice.ask(body, message_id="m-1")
    assert first.status == second.status == 401
    assert first.raw == second.raw


async def test_a_replay_is_audited_as_one(amqp: Door, alice: Caller) -> None:
    """The second answer has its own audit line, which says that it was a replay."""
    body = translation(user_input(), ID_TOKEN)
    for _ in range(2):
        await alice.ask(body, message_id="m-1")
    assert [line.get("replayed", False) for line in amqp.audit()] == [False, True]

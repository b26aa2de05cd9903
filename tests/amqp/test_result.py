"""``result``: the answer to an earlier message, for the requester that sent it."""

from __future__ import annotations

from typing import Any

import pytest

from broker.idempotency import MAX_REQUEST_ID_LENGTH
from tests.amqp.caller import Caller, Reply, translation
from tests.amqp.conftest import Opened
from tests.support.door import (
    ELEMENT,
    ID_TOKEN,
    Door,
    FrozenClock,
    session_input,
    user_input,
)

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("rabbitmq")]


async def _result(caller: Caller, request_id: Any) -> Reply:
    return await caller.ask({"request_id": request_id}, type="result")


async def test_the_answer_again(amqp: Door, alice: Caller) -> None:
    """The stored answer comes with its own status and headers, and makes no second token."""
    first = await alice.ask(translation(user_input(), ID_TOKEN), message_id="m-1")
    again = await _result(alice, "m-1")
    assert again.raw == first.raw
    assert again.headers == first.headers
    assert again.message.correlation_id != "m-1"
    assert len(await amqp.tokens()) == 1
    line = amqp.audit()[-1]
    assert (line["operation"], line["asked_for"], line["requester"]) == ("result", "m-1", "alice")


async def test_an_answer_that_nobody_took(amqp: Door, alice: Caller) -> None:
    """An answer that had nowhere to go is there to be asked for."""
    await alice.send(translation(user_input(), ID_TOKEN), message_id="m-1", reply_to=None)
    await alice.until_waiting("remint.requests", 0)
    reply = await _result(alice, "m-1")
    while reply.status == 404:  # still in work
        assert reply.headers["retry"] == "later"
        reply = await _result(alice, "m-1")
    [record] = await amqp.tokens()
    assert reply.headers["token-id"] == record.token_id


async def test_a_batch(amqp: Door, alice: Caller) -> None:
    """The answer to a batch comes as a whole."""
    given = {"input_token_state": user_input(), "output_token_state": ID_TOKEN}
    body = {"instance": ELEMENT, "requests": [given, 7, given]}
    first = await alice.ask(body, type="translate.batch", message_id="m-1")
    for result in first.body["results"][::2]:
        alice.planted.note(result["issued_token"])
    assert (await _result(alice, "m-1")).raw == first.raw


async def test_a_refusal(amqp: Door, alice: Caller) -> None:
    """A refusal that was stored comes with its status."""
    foreign = session_input(await amqp.login(realm="/fred/bobo"))
    first = await alice.ask(translation(foreign, ID_TOKEN), message_id="m-1")
    again = await _result(alice, "m-1")
    assert (again.status, again.raw) == (403, first.raw)


async def test_of_another_requester(amqp: Door, alice: Caller, mallory: Caller) -> None:
    """An answer is its requester's alone: for others there is none, as for ids never used."""
    await alice.ask(translation(user_input(), ID_TOKEN), message_id="m-1")
    others = [await _result(mallory, "m-1"), await _result(alice, "m-2")]
    assert {reply.status for reply in others} == {404}
    assert others[0].body == others[1].body
    assert {reply.headers["retry"] for reply in others} == {"later"}


async def test_anonymous(opened: Opened, alice: Caller) -> None:
    """Nobody can ask for an answer without a name, even where anonymous requests are served."""
    async with opened(amqp={"allow_anonymous": True}):
        body = {"request_id": "m-1"}
        reply = await alice.ask(body, type="result", user_id=None, reply_to=alice.replies.name)
        assert reply.status == 401


async def test_too_late(opened: Opened, alice: Caller) -> None:
    """After its time an answer is a 410."""
    clock = FrozenClock()
    async with opened(clock=clock, answers={"ttl": 60}):
        await alice.ask(translation(user_input(), ID_TOKEN), message_id="m-1")
        clock.advance(61)
        reply = await _result(alice, "m-1")
        assert (reply.status, reply.headers["retry"]) == (410, "never")


@pytest.mark.parametrize("request_id", [None, "", 7, ["m-1"], "x" * (MAX_REQUEST_ID_LENGTH + 1)])
async def test_not_an_id(amqp: Door, alice: Caller, request_id: Any) -> None:
    """What cannot be the id of a message is a 400."""
    assert (await _result(alice, request_id)).status == 400

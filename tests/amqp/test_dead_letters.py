"""What cannot be answered ends in remint.dead: why, how large, and never what it said."""

from __future__ import annotations

import hmac
import json

import pytest

from tests.amqp.caller import Caller, calling, translation
from tests.amqp.conftest import Opened, all_acknowledged
from tests.support.door import Door, user_input
from tests.support.planted import MARK, Planted
from tests.support.rabbitmq import RabbitMQ

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("rabbitmq")]

GARBAGE = f"{{not json, but a password: {MARK}".encode()


async def test_garbage(amqp: Door, alice: Caller) -> None:
    """A body that nobody can read goes to remint.dead, its properties with it, its text not."""
    await alice.send(GARBAGE, message_id="m-1", correlation_id="c-1", reply_to=None)
    letter = await alice.dead_letter()
    assert letter.body == b""
    assert (letter.message_id, letter.correlation_id) == ("m-1", "c-1")
    assert letter.headers["x-remint-reason"] == "the body is not valid JSON"
    assert letter.headers["x-remint-status"] == 400
    assert letter.headers["x-remint-size"] == len(GARBAGE)
    assert letter.headers["x-remint-user-id"] == "alice"
    assert MARK not in json.dumps(letter.headers, default=str)
    await all_acknowledged(amqp, alice)


async def test_digest_is_keyed(amqp: Door, alice: Caller) -> None:
    """Equal bodies have equal digests, which nobody can make without the key."""
    digests = []
    for _ in range(2):
        await alice.send(GARBAGE, reply_to=None)
        digests.append((await alice.dead_letter()).headers["x-remint-digest"])
    assert digests[0] == digests[1]
    assert digests[0] != hmac.new(b"", GARBAGE, "sha256").hexdigest()


async def test_garbage_with_a_way_back(amqp: Door, alice: Caller) -> None:
    """Where an answer can go, the requester hears as well as the operator."""
    assert (await alice.ask(GARBAGE)).status == 400
    letter = await alice.dead_letter()
    assert letter.headers["x-remint-status"] == 400
    assert letter.body == b""


async def test_no_message_id_and_no_way_back(amqp: Door, alice: Caller) -> None:
    """A request without message id and reply queue is a dead letter."""
    await alice.send(translation(), message_id=None, reply_to=None)
    letter = await alice.dead_letter()
    assert "message id" in str(letter.headers["x-remint-reason"])
    assert await amqp.tokens() == []


async def test_unknown_headers_stay_behind(amqp: Door, alice: Caller) -> None:
    """A dead letter keeps no header whose meaning is unknown, as it may be a secret."""
    await alice.send(GARBAGE, reply_to=None, headers={"authorization": MARK, "deadline": 5})
    letter = await alice.dead_letter()
    assert "authorization" not in letter.headers
    assert letter.headers["deadline"] == 5


async def test_expiration_does_not_follow(amqp: Door, alice: Caller) -> None:
    """A dead letter of a request that would have expired does not expire."""
    await alice.send(GARBAGE, reply_to=None, expiration=20)
    letter = await alice.dead_letter()
    assert letter.expiration is None
    assert letter.headers["x-remint-expiration"] == "20000"


async def test_foreign_reply_queue(
    amqp: Door, alice: Caller, mallory: Caller, rabbitmq: RabbitMQ, planted: Planted
) -> None:
    """A request that names somebody else's queue is not worked on, and nothing arrives there."""
    async with calling(rabbitmq, planted, "alice") as victim:
        victim.replies = await victim.channel.declare_queue(
            "remint.reply.alice.desk", exclusive=True
        )
        await mallory.send(translation(), reply_to="remint.reply.alice.desk")
        letter = await mallory.dead_letter()
        assert "reply_to" in str(letter.headers["x-remint-reason"])
        assert letter.reply_to == "remint.reply.alice.desk"
        assert await victim.silent()
    assert await amqp.tokens() == []
    [line] = amqp.audit()
    assert line["outcome"] == "refused"


@pytest.mark.parametrize(
    "target",
    ["remint.requests", "remint.dead", "orders", "remint.reply.alice", "remint.reply.alice.b.c"],
)
async def test_no_answer_to_other_queues(amqp: Door, alice: Caller, target: str) -> None:
    """Answers go to queues of the requester's own alone."""
    await alice.channel.declare_queue("orders", exclusive=True)
    await alice.send(translation(), reply_to=target)
    letter = await alice.dead_letter()
    assert "reply_to" in str(letter.headers["x-remint-reason"])
    assert await amqp.tokens() == []
    await all_acknowledged(amqp, alice)


async def test_anonymous_reply_queue(opened: Opened, alice: Caller) -> None:
    """An anonymous requester may name the anonymous reply queues, and no user's."""
    async with opened(amqp={"allow_anonymous": True}):
        await alice.send(translation(), user_id=None, reply_to="remint.reply.alice.desk")
        await alice.dead_letter()
        own = await alice.channel.declare_queue("remint.reply.anonymous.x", exclusive=True)
        alice.replies = own
        assert (await alice.ask(translation(), user_id=None)).status == 200


async def test_a_refusal_is_no_dead_letter(amqp: Door, alice: Caller) -> None:
    """A well-formed request that is refused, with nobody to tell, is audited and not kept."""
    await alice.send(translation(user_input(password="wrong")), message_id="m-1", reply_to=None)
    reply = await alice.ask(translation(user_input(password="wrong")), message_id="m-1")
    assert reply.status == 401
    assert await alice.waiting("remint.dead") == 0

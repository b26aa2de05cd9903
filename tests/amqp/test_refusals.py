"""What is refused, with which status; and that a refused request leaves nothing behind."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aio_pika.exceptions import ChannelPreconditionFailed

from adapters.amqp.topology import EXPIRED
from adapters.codec import MAX_BODY_BYTES, MAX_JSON_DEPTH
from tests.amqp.caller import Caller, translation
from tests.amqp.conftest import Opened
from tests.support.door import ELEMENT, Door, user_input

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("rabbitmq")]

_PASSED = int((time.time() - 60) * 1000)
_NESTED = b"[" * (MAX_JSON_DEPTH + 2) + b"]" * (MAX_JSON_DEPTH + 2)


@pytest.mark.parametrize(
    ("status", "body", "properties"),
    [
        (401, translation(user_input(password="wrong")), {}),
        (404, translation(instance="nowhere"), {}),
        (400, translation({"token_type": "X509"}), {}),
        (400, {"instance": ELEMENT}, {}),
        (400, {**translation(), "instance": 5}, {}),
        (400, {**translation(), "instance": "//"}, {}),
        (400, {k: v for k, v in translation().items() if k != "instance"}, {}),
        (400, translation(), {"type": "transmogrify"}),
        (400, translation(), {"type": "validate"}),
        (400, translation(), {"message_id": None}),
        (400, b"{not json", {}),
        (400, b"", {}),
        (400, b"[]", {}),
        (400, _NESTED, {}),
        (413, b" " * (MAX_BODY_BYTES + 1), {}),
        (415, translation(), {"content_encoding": "gzip"}),
        (400, translation(), {"content_type": "application/jose"}),
        (400, translation(), {"headers": {"deadline": "soon"}}),
        (408, translation(), {"headers": {"deadline": _PASSED}}),
        (404, {"instance": "nowhere", "validated_token_state": {}}, {"type": "validate"}),
        (400, {"instance": ELEMENT, "validated_token_state": {}}, {"type": "validate"}),
        (400, {"instance": ELEMENT}, {"type": "cancel"}),
    ],
    ids=[
        "wrong password",
        "unknown instance",
        "transform not offered",
        "no states",
        "instance is a number",
        "instance is empty",
        "no instance",
        "unknown type",
        "validate without its state",
        "no message id",
        "not json",
        "empty",
        "not an object",
        "nested too deep",
        "too large",
        "compressed",
        "not encrypted",
        "deadline is a word",
        "deadline has passed",
        "validate at an unknown instance",
        "validate an empty state",
        "cancel without its state",
    ],
)
async def test_refused(
    amqp: Door, alice: Caller, status: int, body: Any, properties: dict[str, Any]
) -> None:
    """A refusal is a CREST error body, stores no token, and has one audit line."""
    reply = await alice.ask(body, **properties)
    assert reply.status == status
    assert reply.body["code"] == status
    assert reply.body["message"]
    assert reply.headers["retry"] == ("later" if status == 408 else "never")
    assert await amqp.tokens() == []
    [line] = amqp.audit()
    assert (line["transport"], line["outcome"]) == ("amqp", "refused")


async def test_deadline_of_timestamp_and_expiration(amqp: Door, alice: Caller) -> None:
    """A request whose timestamp plus expiration has passed is not worked on."""
    sent = datetime.now(UTC) - timedelta(seconds=60)
    reply = await alice.ask(translation(), timestamp=sent, expiration=30)
    assert reply.status == 408
    assert await amqp.tokens() == []


async def test_deadline_ahead(amqp: Door, alice: Caller) -> None:
    """A deadline that lies ahead does not stand in the way."""
    ahead = int((time.time() + 60) * 1000)
    assert (await alice.ask(translation(), headers={"deadline": ahead})).status == 200


async def test_expired_in_the_queue(opened: Opened, alice: Caller) -> None:
    """A request that expired before a broker took it is answered 408 and not worked on."""
    async with opened() as first:
        assert first.broker.amqp is not None
        await first.broker.amqp.drain(5)
        await alice.send(translation(), expiration=0.05)
        await alice.until_waiting(EXPIRED, 1)
        async with opened() as second:
            reply = await alice.reply()
            assert (reply.status, reply.headers["retry"]) == (408, "later")
            assert await second.tokens() == []


async def test_anonymous_is_refused(amqp: Door, alice: Caller) -> None:
    """Without a user_id nobody is served, unless the settings say otherwise."""
    reply = await alice.ask(translation(), user_id=None)
    assert reply.status == 401
    assert await amqp.tokens() == []


async def test_anonymous_is_allowed_by_setting(opened: Opened, alice: Caller) -> None:
    """With amqp.allow_anonymous a request without user_id is served, and audited as such."""
    async with opened(amqp={"allow_anonymous": True}) as door:
        assert (await alice.ask(translation(), user_id=None)).status == 200
        [line] = door.audit()
        assert line.get("requester") is None


async def test_nobody_borrows_a_user_id(amqp: Door, alice: Caller) -> None:
    """RabbitMQ itself refuses a user_id that is not the publisher's login."""
    with pytest.raises(ChannelPreconditionFailed):
        await alice.send(translation(), user_id="mallory")
    assert amqp.audit() == []

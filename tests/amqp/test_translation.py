"""A request by message is the request by HTTP: the same bodies in, the same bodies out."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest
from aio_pika import DeliveryMode
from aio_pika.abc import AbstractIncomingMessage

from tests.amqp.caller import Caller, translation
from tests.support.door import ASSERTION, ELEMENT, ID_TOKEN, Door, session_input, user_input

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("rabbitmq")]

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def _claims(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    assert isinstance(claims, dict)
    return claims


async def test_password_to_id_token(amqp: Door, alice: Caller) -> None:
    """A name and a password become an ID token for that user."""
    reply = await alice.ask(translation(user_input(), ID_TOKEN))
    assert reply.status == 200, reply.body
    assert _claims(reply.body["issued_token"])["sub"] == "demo"


async def test_password_to_assertion(amqp: Door, alice: Caller) -> None:
    """A name and a password become a SAML assertion."""
    reply = await alice.ask(translation(user_input(), ASSERTION))
    assert reply.status == 200, reply.body
    assert ":Assertion" in reply.body["issued_token"]


@pytest.mark.parametrize("wanted", [ID_TOKEN, ASSERTION], ids=["id-token", "assertion"])
async def test_session_in(amqp: Door, alice: Caller, wanted: dict[str, Any]) -> None:
    """A session that was opened over HTTP becomes either token."""
    session = await amqp.login()
    reply = await alice.ask(translation(session_input(session), wanted))
    assert reply.status == 200, reply.body
    assert reply.body["issued_token"]


async def test_answer_says_what_it_is(amqp: Door, alice: Caller) -> None:
    """An answer is persistent and typed, and its headers name token, expiry and trace."""
    reply = await alice.ask(
        translation(user_input(), ID_TOKEN),
        correlation_id="c-1",
        type="translate",
        headers={"traceparent": TRACEPARENT},
    )
    claims = _claims(reply.body["issued_token"])
    assert reply.headers == {
        "status": 200,
        "retry": "never",
        "token-id": claims["jti"],
        "expires-at": claims["exp"],
        "traceparent": TRACEPARENT,
    }
    assert reply.message.correlation_id == "c-1"
    assert reply.message.content_type == "application/json"
    assert reply.message.delivery_mode == DeliveryMode.PERSISTENT
    assert reply.message.message_id


async def test_without_correlation_id_the_message_id_correlates(amqp: Door, alice: Caller) -> None:
    """An answer carries the request's message id as correlation id where none was given."""
    reply = await alice.ask(translation(), message_id="m-1")
    assert reply.message.correlation_id == "m-1"


async def test_a_trace_that_is_none_is_dropped(amqp: Door, alice: Caller) -> None:
    """A traceparent of another form does not come back."""
    reply = await alice.ask(translation(), headers={"traceparent": "not a trace"})
    assert "traceparent" not in reply.headers


async def test_validate_and_cancel(amqp: Door, alice: Caller) -> None:
    """What was issued is valid until it is cancelled, asked by message."""
    issued = (await alice.ask(translation(user_input(), ID_TOKEN))).body["issued_token"]
    state = {"token_type": "OPENIDCONNECT", "oidc_id_token": issued}
    validate = {"instance": ELEMENT, "validated_token_state": state}
    cancel = {"instance": ELEMENT, "cancelled_token_state": state}
    assert (await alice.ask(validate, type="validate")).body == {"token_valid": True}
    done = await alice.ask(cancel, type="cancel")
    assert done.body == {"result": "OPENIDCONNECT token cancelled successfully."}
    assert (await alice.ask(validate, type="validate")).body == {"token_valid": False}


async def test_the_same_answer_as_over_http(amqp: Door, alice: Caller) -> None:
    """A refusal has the body that HTTP gives it."""
    wrong = user_input(password="wrong")
    by_message = await alice.ask(translation(wrong, ID_TOKEN))
    by_http = await amqp.translate(wrong, ID_TOKEN)
    assert by_message.body == by_http.body
    assert by_message.status == by_http.status == 401


@pytest.mark.parametrize("spelling", [f"/{ELEMENT}", f"{ELEMENT}/"])
async def test_slashes_around_an_instance_do_not_matter(
    amqp: Door, alice: Caller, spelling: str
) -> None:
    """An instance is found whichever slashes stand around its name, as in a URL."""
    assert (await alice.ask(translation(instance=spelling))).status == 200


async def test_own_reply_queue(amqp: Door, alice: Caller) -> None:
    """An answer goes to a reply queue under the requester's own name."""
    own = await alice.channel.declare_queue("remint.reply.alice.desk", exclusive=True)
    alice.replies = own
    assert (await alice.ask(translation())).status == 200


async def test_direct_reply_to(amqp: Door, alice: Caller) -> None:
    """An answer reaches a requester that uses RabbitMQ's direct reply-to."""
    arrived: asyncio.Queue[bytes] = asyncio.Queue()

    async def receive(message: AbstractIncomingMessage) -> None:
        await arrived.put(message.body)

    direct = await alice.channel.get_queue("amq.rabbitmq.reply-to", ensure=False)
    await direct.consume(receive, no_ack=True)
    await alice.send(translation(), reply_to="amq.rabbitmq.reply-to")
    async with asyncio.timeout(10):
        body = await arrived.get()
    token = json.loads(body)["issued_token"]
    alice.planted.note(token)
    assert _claims(token)["sub"] == "demo"


async def test_each_attempt_is_audited_once(amqp: Door, alice: Caller) -> None:
    """An answered request has one audit line, with the requester that RabbitMQ vouched for."""
    await alice.ask(translation(), message_id="m-1")
    [line] = amqp.audit()
    assert (line["transport"], line["requester"], line["outcome"]) == ("amqp", "alice", "ok")
    assert line["request_id"] == "m-1"


async def test_nobody_to_answer(amqp: Door, alice: Caller) -> None:
    """Without reply_to the request is served all the same; its answer can be asked for later."""
    body = translation(user_input(), ID_TOKEN)
    await alice.send(body, message_id="m-1", reply_to=None)
    reply = await alice.ask(body, message_id="m-1")
    [record] = await amqp.tokens()
    assert reply.headers["token-id"] == record.token_id


async def test_many_at_once(amqp: Door, alice: Caller) -> None:
    """A hundred requests at once are all answered, each once."""
    body = translation(session_input(await amqp.login()), ID_TOKEN)
    for number in range(100):
        await alice.send(body, message_id=f"m-{number}")
    answered = [await alice.reply() for _ in range(100)]
    assert {r.message.correlation_id for r in answered} == {f"m-{n}" for n in range(100)}
    assert len(await amqp.tokens()) == 100

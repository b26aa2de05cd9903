"""A request by topic is the request by HTTP: the same bodies in, the same bodies out."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tests.mqtt.caller import Caller, topic_of, translation
from tests.mqtt.conftest import Opened
from tests.support.door import (
    ASSERTION,
    ID_TOKEN,
    REALM,
    Door,
    an_instance,
    session_input,
    user_input,
)

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("mosquitto")]

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def _claims(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    assert isinstance(claims, dict)
    return claims


@pytest.mark.parametrize("wanted", [ID_TOKEN, ASSERTION], ids=["id-token", "assertion"])
async def test_password_in(mqtt: Door, alice: Caller, wanted: dict[str, Any]) -> None:
    """A name and a password become either token."""
    reply = await alice.ask(translation(user_input(), wanted))
    assert reply.status == 200, reply.body
    assert reply.body["issued_token"]


@pytest.mark.parametrize("wanted", [ID_TOKEN, ASSERTION], ids=["id-token", "assertion"])
async def test_session_in(mqtt: Door, alice: Caller, wanted: dict[str, Any]) -> None:
    """A session that was opened over HTTP becomes either token."""
    session = await mqtt.login()
    reply = await alice.ask(translation(session_input(session), wanted))
    assert reply.status == 200, reply.body
    assert reply.body["issued_token"]


async def test_answer_says_what_it_is(mqtt: Door, alice: Caller) -> None:
    """An answer is typed and not retained, ends with its token at most an hour later, and its user
    properties name token, expiry and trace."""
    reply = await alice.ask(
        translation(),
        correlation=b"\x00c-1",
        headers={"traceparent": TRACEPARENT, "tracestate": "a=b"},
    )
    claims = _claims(reply.body["issued_token"])
    assert reply.headers == {
        "status": "200",
        "retry": "never",
        "token-id": claims["jti"],
        "expires-at": str(claims["exp"]),
        "traceparent": TRACEPARENT,
        "tracestate": "a=b",
    }
    assert reply.correlation == b"\x00c-1"
    assert reply.properties.ContentType == "application/json"
    assert 0 < reply.properties.MessageExpiryInterval <= 3600
    assert not reply.retained


async def test_without_correlation_data_the_message_id_correlates(
    mqtt: Door, alice: Caller
) -> None:
    """An answer carries the request's message id where no Correlation Data came."""
    assert (await alice.ask(translation(), message_id="m-1")).correlation == b"m-1"


async def test_validate_and_cancel(mqtt: Door, alice: Caller) -> None:
    """What was issued is valid until it is cancelled, asked by topic."""
    issued = (await alice.ask(translation())).body["issued_token"]
    state = {"token_type": "OPENIDCONNECT", "oidc_id_token": issued}
    validate = {"validated_token_state": state}
    assert (await alice.ask(validate, "validate")).body == {"token_valid": True}
    done = await alice.ask({"cancelled_token_state": state}, "cancel")
    assert done.body == {"result": "OPENIDCONNECT token cancelled successfully."}
    assert (await alice.ask(validate, "validate")).body == {"token_valid": False}


async def test_nested_realms(mqtt: Door, alice: Caller) -> None:
    """An instance of a realm below another is addressed by one level for each name."""
    await mqtt.publish(an_instance("deep", realm=REALM))
    topic = topic_of("alice", realm=REALM.strip("/"), element="deep")
    reply = await alice.ask(translation(), topic=topic)
    assert reply.status == 200, reply.body


async def test_an_instance_that_is_not_there(mqtt: Door, alice: Caller) -> None:
    """A topic that names no instance gets a 404, even at the greatest depth."""
    topic = topic_of("alice", realm="a/b/c/d/e/f/g/h")
    assert (await alice.ask(translation(), topic=topic)).status == 404


async def test_the_same_answer_as_over_http(mqtt: Door, alice: Caller) -> None:
    """A refusal has the body that HTTP gives it."""
    wrong = user_input(password="wrong")
    by_message = await alice.ask(translation(wrong, ID_TOKEN))
    by_http = await mqtt.translate(wrong, ID_TOKEN)
    assert by_message.body == by_http.body
    assert by_message.status == by_http.status == 401


async def test_each_attempt_is_audited_once(mqtt: Door, alice: Caller) -> None:
    """An answered request has one audit line, with the requester that the topic names."""
    await alice.ask(translation(), message_id="m-1")
    [line] = mqtt.audit()
    assert (line["transport"], line["requester"], line["outcome"]) == ("mqtt", "alice", "ok")
    assert line["request_id"] == "m-1"


async def test_nobody_to_answer(mqtt: Door, alice: Caller) -> None:
    """Without a Response Topic the request is served all the same; its answer can be had later."""
    await alice.send(translation(), message_id="m-1", reply_to=None)
    reply = await alice.ask(translation(), message_id="m-1")
    [record] = await mqtt.tokens()
    assert reply.headers["token-id"] == record.token_id


async def test_the_same_id_again(mqtt: Door, alice: Caller, mallory: Caller) -> None:
    """The same id gets the same bytes; with another request a 409; from another user another
    token."""
    first = await alice.ask(translation(), message_id="m-1")
    again = await alice.ask(translation(), message_id="m-1")
    assert (first.raw, first.headers) == (again.raw, again.headers)
    other = await alice.ask(translation(wanted={**ID_TOKEN, "nonce": "x"}), message_id="m-1")
    assert other.status == 409
    foreign = await mallory.ask(translation(), message_id="m-1")
    assert foreign.headers["token-id"] != first.headers["token-id"]


async def test_a_stored_answer_is_fetched(mqtt: Door, alice: Caller, mallory: Caller) -> None:
    """An answer can be asked for by the id of its request, by the one who asked alone."""
    await alice.send(translation(), message_id="m-1", reply_to=None)
    await alice.ask(translation(), message_id="m-1")
    asked = {"request_id": "m-1"}
    reply = await alice.ask(asked, "result")
    assert reply.status == 200, reply.body
    assert reply.body["issued_token"]
    assert (await mallory.ask(asked, "result")).status == 404


async def test_a_batch(mqtt: Door, alice: Caller) -> None:
    """A batch of a thousand is answered in order, each item on its own."""
    session = session_input(await mqtt.login())
    items = [translation(session, {**ID_TOKEN, "nonce": str(n)}) for n in range(999)]
    items.append(translation(user_input(password="wrong")))
    reply = await alice.ask({"requests": items}, "translate_batch")
    assert reply.status == 200, reply.body
    results = reply.body["results"]
    for result in results[:-1]:
        alice.planted.note(result["issued_token"])
    assert [_claims(r["issued_token"])["nonce"] for r in results[:-1]] == [
        str(n) for n in range(999)
    ]
    assert results[-1]["code"] == 401


async def test_many_at_once(mqtt: Door, alice: Caller) -> None:
    """A hundred requests at once are all answered, each once."""
    body = translation(session_input(await mqtt.login()), ID_TOKEN)
    for number in range(100):
        await alice.send(body, message_id=f"m-{number}")
    answered = [await alice.reply() for _ in range(100)]
    assert {r.correlation for r in answered} == {f"m-{n}".encode() for n in range(100)}
    assert len(await mqtt.tokens()) == 100


async def test_a_deadline_that_has_passed(mqtt: Door, alice: Caller) -> None:
    """What comes after its deadline is refused with a 408 and never signed."""
    reply = await alice.ask(translation(), headers={"deadline": "1000"})
    assert (reply.status, reply.headers["retry"]) == (408, "later")
    assert await mqtt.tokens() == []


async def test_a_message_that_expires_in_time(opened: Opened, alice: Caller) -> None:
    """A request that the message server still delivers before its expiry is served."""
    async with opened():
        assert (await alice.ask(translation(), expiry=60)).status == 200

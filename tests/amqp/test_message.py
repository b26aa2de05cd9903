"""Reading a delivery, without a message server."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from adapters.amqp import letter_mac
from adapters.amqp.message import Incoming, dead_letter
from adapters.messages.asked import Asked, Decoder
from adapters.messages.opening import PlainOpener
from broker.errors import InvalidRequest
from broker.idempotency import MAX_REQUEST_ID_LENGTH
from broker.model import TranslationRequest

KEY = bytes(32)
BODY = (
    b'{"instance": "realm/element", "input_token_state": {"token_type": "USERNAME"},'
    b' "output_token_state": {"token_type": "SAML2"}}'
)


@pytest.mark.parametrize(
    ("reply_to", "user", "allowed"),
    [
        (None, "alice", True),
        ("amq.gen-abc", "alice", True),
        ("amq.gen-abc", None, True),
        ("amq.rabbitmq.reply-to", "alice", True),
        ("amq.rabbitmq.reply-to.g1h2AA.xyz", None, True),
        ("amq.rabbitmq.reply-toes", "alice", False),
        ("amq.rabbitmq.trace", "alice", False),
        ("remint.reply.alice.desk", "alice", True),
        ("remint.reply.alice.", "alice", True),
        ("remint.reply.alice", "alice", False),
        ("remint.reply.alice.b.desk", "alice", False),
        ("remint.reply.alice.b.desk", "alice.b", True),
        ("remint.reply.alice.desk", "mallory", False),
        ("remint.reply.alice.desk", None, False),
        ("remint.reply.anonymous.desk", None, True),
        ("remint.reply.anonymous.desk", "alice", False),
        ("remint.requests", "alice", False),
        ("orders", "alice", False),
    ],
)
def test_where_answers_may_go(reply_to: str | None, user: str | None, allowed: bool) -> None:
    """Answers go to queues the server named, and to those under the requester's own name."""
    assert Incoming(b"", reply_to=reply_to, user_id=user).reply_allowed is allowed


@pytest.mark.parametrize(
    ("headers", "timestamp", "expiration", "deadline"),
    [
        ({}, None, None, None),
        ({}, 100.0, None, None),
        ({}, None, "500", None),
        ({}, 100.0, "500", 100.5),
        ({"deadline": 2500}, None, None, 2.5),
        ({"deadline": 2500}, 100.0, "500", 2.5),
        ({"deadline": 2500.0}, None, None, 2.5),
        ({}, 100.0, "9" * 16, None),
    ],
)
def test_deadline(
    headers: dict[str, object], timestamp: float | None, expiration: str | None, deadline: object
) -> None:
    """The deadline header counts, else timestamp plus expiration where both are given."""
    incoming = Incoming(b"", headers=headers, timestamp=timestamp, expiration=expiration)
    assert incoming.deadline() == deadline


@pytest.mark.parametrize("given", ["soon", True, [1], b"5"])
def test_deadline_that_is_no_number(given: object) -> None:
    """A deadline of another type is refused."""
    with pytest.raises(InvalidRequest, match="deadline"):
        Incoming(b"", headers={"deadline": given}).deadline()


@pytest.mark.parametrize("given", ["-5", "5.0", "\u0665", ""])
def test_expiration_that_is_no_number(given: str) -> None:
    """An expiration that is no row of digits is refused."""
    with pytest.raises(InvalidRequest, match="expiration"):
        Incoming(b"", timestamp=1.0, expiration=given).deadline()


async def test_what_a_request_becomes() -> None:
    """A request carries its id, its requester and its trace to the pipeline."""
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    incoming = Incoming(
        BODY, message_id="m-1", user_id="alice", headers={"traceparent": trace, "deadline": 5000}
    )
    request = (await _asked(incoming)).translation()
    assert isinstance(request, TranslationRequest)
    assert (request.instance, request.request_id) == ("realm/element", "m-1")
    assert (request.requester.transport, request.requester.id) == ("amqp", "alice")
    assert (request.deadline, dict(request.trace)) == (5.0, {"traceparent": trace})


@pytest.mark.parametrize("length", [MAX_REQUEST_ID_LENGTH, MAX_REQUEST_ID_LENGTH + 1])
async def test_length_of_a_message_id(length: int) -> None:
    """A message id has the length that any idempotency id may have, and no more."""
    asked = await _asked(Incoming(BODY, message_id="m" * length, user_id="alice"))
    refused = asked.malformed
    assert (refused is not None) is (length > MAX_REQUEST_ID_LENGTH)


def test_a_body_is_never_shown() -> None:
    """Neither body nor headers stand in the representation of a delivery."""
    shown = repr(Incoming(b"pl4nted", headers={"authorization": "pl4nted"}))
    assert "pl4nted" not in shown


def test_a_deadline_that_is_not_finite() -> None:
    """A deadline of infinity is one that never passes."""
    assert Incoming(b"", headers={"deadline": math.inf}).deadline() == math.inf


async def _asked(incoming: Incoming) -> Asked:
    return await Decoder(PlainOpener(), allow_anonymous=False).asked(incoming.envelope())


@pytest.mark.parametrize(
    "changed",
    [
        {"reply_to": "amq.gen-other"},
        {"type": "cancel"},
        {"message_id": "m-2"},
        {"user_id": "alice"},
        {"headers": {"deadline": 1}},
        {"body": b"other"},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_the_mac_covers(changed: dict[str, Any]) -> None:
    """A letter that was changed in anything it is sent again with is no broker's letter."""
    refusal = InvalidRequest("the body is not valid JSON")
    request = Incoming(b"body", message_id="m-1", user_id="mallory", reply_to="amq.gen-mine")
    letter = dead_letter(request, refusal, KEY, bytes)
    assert letter_mac.holds(letter, KEY)
    other = dead_letter(replace(request, **changed), refusal, KEY, bytes)
    other.headers[letter_mac.HEADER] = letter.headers[letter_mac.HEADER]
    assert not letter_mac.holds(other, KEY)

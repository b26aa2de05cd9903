"""Requesters who come by two message servers: a name is one server's, a key is the same on both."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from adapters.messages.asked import Decoder
from adapters.messages.envelope import Envelope
from adapters.messages.opening import JSON, SealedOpener
from adapters.messages.requesters import RequesterKeys
from adapters.messages.signed import SignedRequests
from adapters.messages.worker import Worker
from tests.support.door import ELEMENT, ID_TOKEN, ISSUER, Door, user_input
from tests.support.jose import JOSE, registered, signed, signing_key

KEY = signing_key("EC", "orders-1")
REQUEST = {
    "instance": ELEMENT,
    "input_token_state": user_input(),
    "output_token_state": ID_TOKEN,
}


@pytest.fixture
def worker(door: Door, tmp_path: Path) -> Worker:
    """What stands behind either message server."""
    path = tmp_path / "requesters.json"
    path.write_text(registered(KEY))
    parts = door.broker.components
    signatures = SignedRequests(RequesterKeys(path), audience=ISSUER, clock=parts.clock)
    opener = SealedOpener(
        parts.keys.encryption, signatures, require_encrypted=False, jwks_url="unused"
    )
    return Worker(
        decoder=Decoder(opener, allow_anonymous=False),
        pipeline=parts.pipeline,
        lifecycle=parts.lifecycle,
        trail=parts.trail,
        clock=parts.clock,
    )


def _named(transport: str, message_id: str, body: Any, **properties: Any) -> Envelope:
    return Envelope(
        transport,
        body=json.dumps(body).encode(),
        message_id=message_id,
        requester="alice",
        content_type=JSON,
        **properties,
    )


def _signed(transport: str, message_id: str, body: Any, **properties: Any) -> Envelope:
    token = signed(body, KEY, message_id, reply_to="answers")
    return Envelope(
        transport,
        body=token,
        message_id=message_id,
        content_type=JOSE,
        reply_to="answers",
        **properties,
    )


async def test_the_same_name(door: Door, worker: Worker) -> None:
    """RabbitMQ's alice and the MQTT server's alice have nothing in common."""
    mine = (await worker.work(_named("amqp", "m-1", REQUEST))).answer
    door.planted.note(mine.body["issued_token"])
    asked = {"request_id": "m-1"}
    other = (await worker.work(_named("mqtt", "q-1", asked, type="result"))).answer
    assert (mine.status, other.status) == (200, 404)
    again = (await worker.work(_named("amqp", "q-2", asked, type="result"))).answer
    assert again == mine


async def test_the_same_key(door: Door, worker: Worker) -> None:
    """Who signs is the same requester whichever server brings the message, and gets one token."""
    mine = (await worker.work(_signed("amqp", "m-1", REQUEST))).answer
    door.planted.note(mine.body["issued_token"])
    assert (await worker.work(_signed("mqtt", "m-1", REQUEST))).answer == mine
    question = _signed("mqtt", "q-1", {"request_id": "m-1"}, type="result")
    assert (await worker.work(question)).answer == mine
    assert len(await door.tokens()) == 1

"""A batch by message: its parts are answered one by one, in one message."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any

import pytest

from adapters import codec
from broker.batch import MAX_PARTS
from broker.batching import CHUNK
from tests.amqp.caller import Caller, Reply, translation
from tests.support import door as doors
from tests.support.door import ASSERTION, ELEMENT, ID_TOKEN, Door, session_input, user_input
from tests.support.planted import MARK, Planted
from tests.support.process import BrokerProcess, ended
from tests.support.rabbitmq import RabbitMQ

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("rabbitmq")]

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def _part(given: Any, wanted: Any = ID_TOKEN) -> dict[str, Any]:
    return {"input_token_state": given, "output_token_state": wanted}


def _batch(parts: Any, instance: str = ELEMENT) -> dict[str, Any]:
    return {"instance": instance, "requests": parts}


async def _ask(caller: Caller, body: Any, **properties: Any) -> Reply:
    reply = await caller.ask(body, type="translate.batch", **properties)
    _note(caller, reply)
    return reply


def _note(caller: Caller, reply: Reply) -> None:
    for result in reply.body.get("results", ()):
        if "issued_token" in result:
            caller.planted.note(result["issued_token"])


def _codes(reply: Reply) -> list[int]:
    assert reply.status == 200, reply.body
    return [result.get("code", 200) for result in reply.body["results"]]


async def test_in_order(amqp: Door, alice: Caller) -> None:
    """Each part is answered in its place, with the body that it would have had alone."""
    session = session_input(await amqp.login())
    wrong = user_input(f"wrong-{MARK}")
    parts = [_part(session, ASSERTION), _part(wrong), _part(user_input()), 7]
    reply = await _ask(alice, _batch(parts), headers={"traceparent": TRACEPARENT})
    assert _codes(reply) == [200, 401, 200, 400]
    assert ":Assertion" in reply.body["results"][0]["issued_token"]
    assert reply.body["results"][1] == (await alice.ask(translation(wrong, ID_TOKEN))).body
    assert reply.headers == {"status": 200, "retry": "never", "traceparent": TRACEPARENT}


async def test_a_thousand(amqp: Door, alice: Caller) -> None:
    """A batch of the largest size has as many tokens; delivered again, the same bytes."""
    session = session_input(await amqp.login())
    parts = [_part(session, {**ID_TOKEN, "nonce": f"n-{n}"}) for n in range(MAX_PARTS)]
    first = await _ask(alice, _batch(parts), message_id="m-1")
    assert _codes(first) == [200] * MAX_PARTS
    assert len({record.token_id for record in await amqp.tokens()}) == MAX_PARTS
    again = await _ask(alice, _batch(parts), message_id="m-1")
    assert again.raw == first.raw
    assert len(await amqp.tokens()) == MAX_PARTS


async def test_requesters_apart(amqp: Door, alice: Caller, mallory: Caller) -> None:
    """Two requesters under one id have tokens of their own; another batch of the same requester
    under the id is a 409."""
    parts = [_part(session_input(await amqp.login()))]
    first = await _ask(alice, _batch(parts), message_id="m-1")
    other = await _ask(mallory, _batch(parts), message_id="m-1")
    assert other.body != first.body
    assert (await _ask(alice, _batch(parts * 2), message_id="m-1")).status == 409
    assert (await alice.ask({"instance": ELEMENT, **parts[0]}, message_id="m-1")).status == 409
    assert len(await amqp.tokens()) == 2


@pytest.mark.parametrize("parts", [None, [], {}, "x", [7] * (MAX_PARTS + 1)], ids=type)
async def test_not_a_batch(amqp: Door, alice: Caller, parts: Any) -> None:
    """What is no list of 1 to 1,000 requests is a 400, and a dead letter."""
    reply = await _ask(alice, _batch(parts))
    assert (reply.status, reply.headers["retry"]) == (400, "never")
    assert "1 to 1000" in reply.body["message"]
    assert (await alice.dead_letter()).headers["x-remint-status"] == 400


async def test_unknown_instance(amqp: Door, alice: Caller) -> None:
    """A batch for an instance that is not there is a 404 as a whole."""
    assert (await _ask(alice, _batch([_part(user_input())], "nowhere"))).status == 404


async def test_a_body_of_more_than_a_single_request(amqp: Door, alice: Caller) -> None:
    """A batch may be larger than a single request; a single request may not."""
    body = _batch([_part(user_input())]) | {"more": "x" * codec.MAX_BODY_BYTES}
    assert _codes(await _ask(alice, body)) == [200]
    assert (await alice.ask(body)).status == 413


@pytest.mark.slow
async def test_killed_in_the_middle(
    rabbitmq: RabbitMQ, tmp_path: Path, alice: Caller, planted: Planted
) -> None:
    """The batch is delivered again: parts that had their token keep it, the others get one, and the
    answer comes once."""
    async with doors.opened(tmp_path / "state", planted):
        parts = [_part(user_input(), {**ID_TOKEN, "nonce": f"n-{n}"}) for n in range(3 * CHUNK)]
    settings = {"AMQP__URL": rabbitmq.url, "AMQP__REQUIRE_ENCRYPTED_CREDENTIALS": "false"}
    crashing = BrokerProcess(
        tmp_path, "committed", module="tests.support.crashing", settings=settings
    )
    with ended(crashing):
        crashing.launch()
        await asyncio.to_thread(crashing.wait_ready)
        await alice.send(_batch(parts), message_id="m-1", type="translate.batch")
        assert await asyncio.to_thread(crashing.wait) == -signal.SIGKILL
    async with doors.opened(tmp_path / "state", planted) as door:
        before = {record.token_id for record in await door.tokens()}
    assert 0 < len(before) < len(parts)
    broker = BrokerProcess(tmp_path, settings=settings)
    with ended(broker):
        broker.launch()
        await asyncio.to_thread(broker.wait_ready)
        reply = await alice.reply()
        _note(alice, reply)
        assert _codes(reply) == [200] * len(parts)
        again = await _ask(alice, _batch(parts), message_id="m-1")
        assert again.raw == reply.raw
        assert await alice.silent()
        assert await asyncio.to_thread(broker.terminate) == 0
    async with doors.opened(tmp_path / "state", planted) as door:
        after = {record.token_id for record in await door.tokens()}
    assert before < after
    assert len(after) == len(parts)
    assert not planted.found_in([*crashing.texts(), *broker.texts()])

"""``kill -9`` of the broker at the two moments that matter: one token, one answer in effect."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any

import pytest

from broker.model import TokenRecord
from tests.amqp.caller import Caller, translation
from tests.support import door as doors
from tests.support.door import ASSERTION, ID_TOKEN, user_input
from tests.support.planted import Planted
from tests.support.process import BrokerProcess, ended
from tests.support.rabbitmq import RabbitMQ

pytestmark = [
    pytest.mark.server,
    pytest.mark.slow,
    pytest.mark.xdist_group("rabbitmq"),
]


def amqp_settings(rabbitmq: RabbitMQ) -> dict[str, str]:
    """Of a broker that takes readable credentials."""
    return {"AMQP__URL": rabbitmq.url, "AMQP__REQUIRE_ENCRYPTED_CREDENTIALS": "false"}


async def _records(folder: Path, planted: Planted) -> list[TokenRecord]:
    """What the store holds, read by a broker that has no queue; makes the store at first."""
    async with doors.opened(folder / "state", planted) as door:
        return await door.tokens()


async def _ask_until_killed(
    rabbitmq: RabbitMQ, folder: Path, alice: Caller, module: str, *arguments: str, body: Any
) -> BrokerProcess:
    """Sends one request to a broker that dies of it."""
    broker = BrokerProcess(folder, *arguments, module=module, settings=amqp_settings(rabbitmq))
    with ended(broker):
        broker.launch()
        await asyncio.to_thread(broker.wait_ready)
        await alice.send(body, message_id="m-1")
        assert await asyncio.to_thread(broker.wait) == -signal.SIGKILL
    return broker


@pytest.mark.parametrize("wanted", [ID_TOKEN, ASSERTION], ids=["id-token", "assertion"])
async def test_killed_between_commit_and_answer(
    rabbitmq: RabbitMQ, tmp_path: Path, alice: Caller, planted: Planted, wanted: dict[str, Any]
) -> None:
    """The token that was committed is the one that is answered after the restart, once."""
    assert await _records(tmp_path, planted) == []
    body = translation(user_input(), wanted)
    killed = await _ask_until_killed(
        rabbitmq, tmp_path, alice, "tests.support.crashing", "committed", body=body
    )
    [committed] = await _records(tmp_path, planted)
    assert await alice.silent()
    broker = BrokerProcess(tmp_path, settings=amqp_settings(rabbitmq))
    with ended(broker):
        broker.launch()
        await asyncio.to_thread(broker.wait_ready)
        reply = await alice.reply()
        assert reply.headers["token-id"] == committed.token_id
        again = await alice.ask(body, message_id="m-1")
        assert again.raw == reply.raw
        assert await asyncio.to_thread(broker.terminate) == 0
    assert await _records(tmp_path, planted) == [committed]
    assert not planted.found_in([*killed.texts(), *broker.texts()])


async def test_killed_between_answer_and_acknowledgement(
    rabbitmq: RabbitMQ, tmp_path: Path, alice: Caller, planted: Planted
) -> None:
    """The request is delivered again and gets the same bytes; there is one token record."""
    assert await _records(tmp_path, planted) == []
    killed = await _ask_until_killed(
        rabbitmq, tmp_path, alice, "tests.support.killable_broker", body=translation()
    )
    first = await alice.reply()
    broker = BrokerProcess(tmp_path, settings=amqp_settings(rabbitmq))
    with ended(broker):
        broker.launch()
        await asyncio.to_thread(broker.wait_ready)
        second = await alice.reply()
        assert first.status == second.status == 200
        assert first.raw == second.raw
        assert first.headers == second.headers
        assert await alice.silent()
        assert await asyncio.to_thread(broker.terminate) == 0
    [record] = await _records(tmp_path, planted)
    assert record.token_id == first.headers["token-id"]
    assert not planted.found_in([*killed.texts(), *broker.texts()])

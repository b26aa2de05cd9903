"""``kill -9`` between the commit of a token and its announcement: the event is not lost."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from tests.amqp.caller import Caller, translation
from tests.amqp.listener import forgotten, listening
from tests.support import door as doors
from tests.support.hurried import HURRIED
from tests.support.planted import Planted
from tests.support.process import BrokerProcess, ended
from tests.support.rabbitmq import RabbitMQ

pytestmark = [
    pytest.mark.server,
    pytest.mark.slow,
    pytest.mark.xdist_group("rabbitmq"),
]


async def test_killed_between_commit_and_announcement(
    rabbitmq: RabbitMQ, tmp_path: Path, alice: Caller, planted: Planted
) -> None:
    """The next broker announces the token that the killed one issued, once and under one id."""
    await forgotten(rabbitmq)
    async with doors.opened(tmp_path / "state", planted):
        pass  # makes the store
    settings = {"AMQP__URL": rabbitmq.url, "AMQP__REQUIRE_ENCRYPTED_CREDENTIALS": "false"}
    async with listening(rabbitmq) as listener:
        killed = BrokerProcess(
            tmp_path, "committed", module="tests.support.crashing", settings=settings
        )
        with ended(killed):
            killed.launch()
            await asyncio.to_thread(killed.wait_ready)
            await alice.send(translation(), message_id="m-1")
            assert await asyncio.to_thread(killed.wait) == -signal.SIGKILL
        async with doors.opened(tmp_path / "state", planted, events={"keep": 0}) as door:
            [committed] = await door.tokens()
            assert await door.broker.stores.outbox.size() >= 1
        broker = BrokerProcess(tmp_path, module=HURRIED, settings=settings)
        with ended(broker):
            broker.launch()
            await asyncio.to_thread(broker.wait_ready)
            reply = await alice.reply()
            [event] = await listener.until("token.issued")
            assert await asyncio.to_thread(broker.terminate) == 0
    await forgotten(rabbitmq)
    assert reply.headers["token-id"] == committed.token_id == event["data"]["token_id"]
    assert event["data"]["digest"] == committed.digest.hex()

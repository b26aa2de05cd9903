"""SIGTERM under load: no request fails, and none comes again whose answer was confirmed."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest
from aio_pika.abc import AbstractIncomingMessage

from adapters.amqp.topology import REQUESTS
from tests.amqp.caller import ANSWER_SECONDS, Caller, translation
from tests.support import door as doors
from tests.support.planted import Planted
from tests.support.process import BrokerProcess, ended
from tests.support.rabbitmq import RabbitMQ

pytestmark = [
    pytest.mark.server,
    pytest.mark.slow,
    pytest.mark.xdist_group("rabbitmq"),
]

MESSAGES = 300
BEFORE_STOP = 40


async def test_sigterm_under_load(
    rabbitmq: RabbitMQ, tmp_path: Path, alice: Caller, planted: Planted
) -> None:
    """A broker stopped in the middle of a full queue answers what it has taken, and exactly once;
    the next one answers the rest."""
    settings = {"AMQP__URL": rabbitmq.url, "AMQP__REQUIRE_ENCRYPTED_CREDENTIALS": "false"}
    broker = BrokerProcess(tmp_path, settings=settings)
    async with doors.opened(broker.state, planted):
        pass  # makes the store, with its user and instance
    answers: Counter[str | None] = Counter()
    statuses: Counter[object] = Counter()
    enough, all_came = asyncio.Event(), asyncio.Event()

    async def take(answer: AbstractIncomingMessage) -> None:
        answers[answer.correlation_id] += 1
        statuses[answer.headers["status"]] += 1
        if len(answers) >= BEFORE_STOP:
            enough.set()
        if len(answers) == MESSAGES:
            all_came.set()

    await alice.replies.consume(take, no_ack=True)
    with ended(broker):
        broker.launch()
        await asyncio.to_thread(broker.wait_ready)
        sent = (alice.send(translation(), message_id=f"m-{n}") for n in range(MESSAGES))
        await asyncio.gather(*sent)
        async with asyncio.timeout(10 * ANSWER_SECONDS):
            await enough.wait()
        assert await asyncio.to_thread(broker.terminate) == 0
        left = await alice.waiting(REQUESTS)
        assert 0 < left < MESSAGES
        broker.launch()
        async with asyncio.timeout(10 * ANSWER_SECONDS):
            await all_came.wait()
        assert await asyncio.to_thread(broker.terminate) == 0
    assert await alice.waiting(REQUESTS) == 0
    assert statuses == {200: MESSAGES}, "an answer came twice, or was none"

"""A message that ends the process that works on it does so a few times, and not for ever."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.amqp.topology import REQUESTS
from adapters.messages.suspects import MAX_CRASHES, SUSPECT_FAILURES
from tests.amqp.caller import Caller, translation
from tests.support import door as doors
from tests.support.door import user_input
from tests.support.planted import Planted
from tests.support.process import BrokerProcess, ended
from tests.support.rabbitmq import RabbitMQ

pytestmark = [
    pytest.mark.server,
    pytest.mark.slow,
    pytest.mark.xdist_group("rabbitmq"),
]

INNOCENTS = 3


@pytest.fixture
def broker(rabbitmq: RabbitMQ, tmp_path: Path) -> Iterator[BrokerProcess]:
    """A broker that dies of every password it looks at, as of a fault in native code."""
    broker = BrokerProcess(
        tmp_path,
        "validating",
        module="tests.support.crashing",
        settings={"AMQP__URL": rabbitmq.url, "AMQP__REQUIRE_ENCRYPTED_CREDENTIALS": "false"},
    )
    with ended(broker):
        yield broker


async def test_poison(broker: BrokerProcess, alice: Caller, planted: Planted) -> None:
    """It becomes a dead letter and a 500 after so many crashes; what was in hand with it is
    answered as if nothing had been."""
    async with doors.opened(broker.state, planted):
        pass  # makes the store, with its user and instance
    broker.launch()
    await asyncio.to_thread(broker.wait_ready)
    poison = translation(user_input())
    innocent = {**poison, "instance": "no-such-instance"}
    await alice.send(poison, message_id="poison")
    for number in range(INNOCENTS):
        await alice.send(innocent, message_id=f"innocent-{number}")
    deaths = 0
    statuses: dict[str | None, object] = {}
    while len(statuses) < INNOCENTS + 1:
        message = await alice.replies.get(fail=False, no_ack=True)
        if message is not None:
            statuses[message.correlation_id] = message.headers["status"]
        elif broker.ended:
            assert await asyncio.to_thread(broker.wait) == -signal.SIGKILL
            deaths += 1
            assert deaths <= SUSPECT_FAILURES + MAX_CRASHES
            broker.launch()
        else:
            await asyncio.sleep(0.05)
    assert statuses.pop("poison") == 500
    assert set(statuses.values()) == {404}
    assert deaths == SUSPECT_FAILURES + MAX_CRASHES
    letter = await alice.dead_letter()
    assert letter.message_id == "poison"
    assert "ended" in str(letter.headers["x-remint-reason"])
    assert letter.headers["x-remint-status"] == 500
    assert letter.body == b""
    assert await asyncio.to_thread(broker.terminate) in (0, -signal.SIGTERM)
    assert await alice.waiting(REQUESTS) == 0
    [line] = [line for line in broker.audit() if line["outcome"] == "failed"]
    assert line["request_id"] == "poison", json.dumps(line)
    assert not planted.found_in(broker.texts())

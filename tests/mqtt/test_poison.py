"""A message that ends the process that works on it does so a few times, and not for ever."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from adapters.messages.suspects import MAX_CRASHES
from tests.mqtt.caller import POLL_SECONDS, Caller, translation, user_properties
from tests.support import door as doors
from tests.support.door import user_input
from tests.support.mosquitto import Mosquitto
from tests.support.planted import Planted
from tests.support.process import BrokerProcess, ended

pytestmark = [
    pytest.mark.server,
    pytest.mark.slow,
    pytest.mark.xdist_group("mosquitto"),
]

INNOCENTS = 3


async def test_poison(
    mosquitto: Mosquitto, tmp_path: Path, alice: Caller, undertaker: Caller, planted: Planted
) -> None:
    """It becomes a dead letter and a 500 after so many crashes; what was in hand with it is
    answered as if nothing had been."""
    broker = BrokerProcess(
        tmp_path,
        "validating",
        module="tests.support.crashing",
        settings={"MQTT__URL": mosquitto.url, "MQTT__REQUIRE_ENCRYPTED_CREDENTIALS": "false"},
    )
    async with doors.opened(broker.state, planted):
        pass  # makes the store, with its user and instance
    with ended(broker):
        broker.launch()
        await asyncio.to_thread(broker.wait_ready)
        await alice.send(translation(user_input()), message_id="poison")
        for number in range(INNOCENTS):
            topic = "remint/v1/root/no-such-instance/translate/alice"
            await alice.send(translation(), message_id=f"innocent-{number}", topic=topic)
        deaths = 0
        statuses: dict[bytes | None, int] = {}
        while len(statuses) < INNOCENTS + 1:
            if len(alice.client.messages):
                reply = await alice.reply()
                statuses[reply.correlation] = reply.status
            elif broker.ended:
                assert await asyncio.to_thread(broker.wait) == -signal.SIGKILL
                deaths += 1
                assert deaths <= 1 + MAX_CRASHES
                broker.launch()
            else:
                await asyncio.sleep(POLL_SECONDS)
        assert statuses.pop(b"poison") == 500
        assert set(statuses.values()) == {404}
        assert deaths == 1 + MAX_CRASHES
        letter = await undertaker.message()
        said = user_properties(letter.properties)
        assert (said["message-id"], said["x-remint-status"]) == ("poison", "500")
        assert "ended" in said["x-remint-reason"]
        assert letter.payload == b""
        assert await asyncio.to_thread(broker.terminate) in (0, -signal.SIGTERM)
    assert not planted.found_in(broker.texts())

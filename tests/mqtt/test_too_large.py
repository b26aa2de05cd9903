"""An answer that the message server does not take costs nobody else theirs."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.mqtt.caller import POLL_SECONDS, calling, translation
from tests.mqtt.conftest import OPEN, until_ready
from tests.support import door as doors
from tests.support.door import user_input
from tests.support.mosquitto import running_mosquitto
from tests.support.planted import Planted

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("mosquitto")]

LIMIT = 1000
PATIENCE_SECONDS = 30.0


async def test_an_answer_over_the_servers_limit(
    tmp_path: Path, planted: Planted, said: list[str]
) -> None:
    """A request whose answer is too large for the message server is done with, under one token,
    and others are answered."""
    with running_mosquitto(message_size_limit=f"message_size_limit {LIMIT}") as mosquitto:
        mqtt = {"url": mosquitto.url, **OPEN}
        async with doors.opened(tmp_path / "state", planted, mqtt=mqtt) as door:
            await until_ready(door)
            transport = door.broker.mqtt
            assert transport is not None
            async with calling(mosquitto, planted, "alice") as alice:
                wanted = {"token_type": "OPENIDCONNECT", "nonce": "n" * 600, "allow_access": True}
                await alice.send(translation(wanted=wanted), message_id="large")
                async with asyncio.timeout(PATIENCE_SECONDS):
                    while not await door.tokens() or transport.in_hand:  # noqa: ASYNC110
                        await asyncio.sleep(POLL_SECONDS)
                assert await alice.silent()
                assert (await alice.ask(translation(user_input("wrong")))).status == 401
            assert len(await door.tokens()) == 1

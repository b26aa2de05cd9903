"""mqtts: the server is known by its certificate, or not talked to."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

from tests.mqtt.caller import POLL_SECONDS, calling, translation
from tests.mqtt.conftest import OPEN, READY_SECONDS, until_ready
from tests.support import door as doors
from tests.support.certificates import loopback_certificate
from tests.support.mosquitto import running_mosquitto
from tests.support.planted import Planted

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("mosquitto")]


async def test_tls(tmp_path: Path, planted: Planted, said: list[str]) -> None:
    """Requests are taken over TLS from a server that ``mqtt.ca_file`` vouches for."""
    certificate, key = loopback_certificate(tmp_path)
    with running_mosquitto(tls=(certificate, key)) as mosquitto:
        mqtt = {"url": mosquitto.url, "ca_file": certificate, **OPEN}
        trusting = ssl.create_default_context(cafile=certificate)
        async with (
            doors.opened(tmp_path / "state", planted, mqtt=mqtt) as door,
            calling(mosquitto, planted, "alice", tls=trusting) as alice,
        ):
            await until_ready(door)
            for number in range(50):
                await alice.send(translation(), message_id=f"m-{number}")
            answers = [await alice.reply() for _ in range(50)]
            assert {answer.status for answer in answers} == {200}


async def test_an_unknown_server(tmp_path: Path, planted: Planted, said: list[str]) -> None:
    """A server whose certificate nobody vouches for gets no login."""
    certificate, key = loopback_certificate(tmp_path)
    with running_mosquitto(tls=(certificate, key)) as mosquitto:
        mqtt = {"url": mosquitto.url, **OPEN}
        async with doors.opened(tmp_path / "state", planted, mqtt=mqtt) as door:
            transport = door.broker.mqtt
            assert transport is not None
            async with asyncio.timeout(READY_SECONDS):
                while "SSLCertVerificationError" not in str(transport.trouble):  # noqa: ASYNC110
                    await asyncio.sleep(POLL_SECONDS)
            assert not transport.ready

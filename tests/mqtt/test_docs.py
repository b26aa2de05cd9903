"""The example in docs/mqtt.md runs as printed."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys

import pytest

from tests.project.source import ROOT
from tests.support.door import Door
from tests.support.mosquitto import Mosquitto
from tests.support.planted import USER_PASSWORD, Planted

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("mosquitto")]


async def test_example(mqtt: Door, mosquitto: Mosquitto, planted: Planted) -> None:
    """The printed program, given a URL and a password, prints an answer with a token."""
    [program] = re.findall(
        r"^```python\n(.*?)^```$", (ROOT / "docs/mqtt.md").read_text(), re.M | re.S
    )
    environment = {
        **os.environ,
        "REMINT_MQTT__URL": mosquitto.url_for("alice"),
        "DEMO_PASSWORD": USER_PASSWORD,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, env=environment, stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(60):
        output, _ = await process.communicate()
    assert process.returncode == 0
    status, _, body = output.decode().partition(" ")
    token = json.loads(body.replace("'", '"'))["issued_token"]
    planted.note(token)
    assert status == "200"
    assert len(await mqtt.tokens()) == 1


def test_every_line_of_the_configuration_is_explained() -> None:
    """Each setting in examples/mosquitto/mosquitto.conf that matters stands on the page."""
    lines = (ROOT / "examples/mosquitto/mosquitto.conf").read_text().splitlines()
    names = {line.split()[0] for line in lines if line and not line.startswith("#")}
    page = (ROOT / "docs/mqtt.md").read_text()
    said = {name for name in names if f"`{name}" in page}
    assert names - said == {"listener", "log_dest", "log_type", "connection_messages"}

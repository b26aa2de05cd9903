"""The example in docs/amqp.md runs as printed."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from pathlib import Path

import pytest

from tests.support.door import Door
from tests.support.planted import USER_PASSWORD, Planted
from tests.support.rabbitmq import RabbitMQ

PAGE = Path(__file__).parents[2] / "docs" / "amqp.md"


@pytest.mark.server
@pytest.mark.xdist_group("rabbitmq")
async def test_example(amqp: Door, rabbitmq: RabbitMQ, planted: Planted) -> None:
    """The printed program, given a URL and a password, prints an answer with a token."""
    [program] = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
    environment = {
        **os.environ,
        "REMINT_AMQP__URL": rabbitmq.url_for("alice"),
        "DEMO_PASSWORD": USER_PASSWORD,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, env=environment, stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(30):
        output, _ = await process.communicate()
    assert process.returncode == 0
    status, _, body = output.decode().partition(" ")
    token = json.loads(body.replace("'", '"'))["issued_token"]
    planted.note(token)
    assert status == "200"
    assert len(await amqp.tokens()) == 1

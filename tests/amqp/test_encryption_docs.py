"""The example in docs/encryption.md runs as printed, against a broker as it is by default."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from pathlib import Path

import pytest

from tests.amqp.conftest import Opened
from tests.support.planted import USER_PASSWORD, Planted
from tests.support.rabbitmq import RabbitMQ

PAGE = Path(__file__).parents[2] / "docs" / "encryption.md"
RUN_SECONDS = 60

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("rabbitmq")]


async def test_example(opened: Opened, rabbitmq: RabbitMQ, planted: Planted) -> None:
    """The printed program, given the addresses and a password, prints an answer with a token."""
    [program] = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
    async with opened(amqp={"require_encrypted_credentials": True}) as door:
        environment = {
            **os.environ,
            "REMINT_AMQP__URL": rabbitmq.url_for("alice"),
            "JWKS_URL": f"{door.url}/oauth2/jwks",
            "DEMO_PASSWORD": USER_PASSWORD,
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, env=environment, stdout=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(RUN_SECONDS):
            output, _ = await process.communicate()
        assert process.returncode == 0
        status, _, body = output.decode().partition(" ")
        planted.note(json.loads(body.replace("'", '"'))["issued_token"])
        assert status == "200"
        assert len(await door.tokens()) == 1

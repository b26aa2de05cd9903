"""The listener in docs/events.md runs as printed."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path

import aio_pika
import pytest

from tests.amqp.conftest import Opened
from tests.amqp.listener import forgotten
from tests.support.door import ID_TOKEN, user_input
from tests.support.rabbitmq import RabbitMQ

PAGE = Path(__file__).parents[2] / "docs" / "events.md"
WAIT_SECONDS = 30.0


@pytest.mark.server
@pytest.mark.xdist_group("rabbitmq")
async def test_example(opened: Opened, rabbitmq: RabbitMQ) -> None:
    """The printed program, given a URL, prints the token that is issued while it listens."""
    await forgotten(rabbitmq)
    [program] = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
    async with opened() as door, await aio_pika.connect(rabbitmq.url) as connection:
        channel = await connection.channel()
        await channel.declare_exchange("remint.events", "topic", durable=True)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            program,
            env={**os.environ, "REMINT_AMQP__URL": rabbitmq.url_for("alice")},
            stdout=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(WAIT_SECONDS):
            while process.returncode is None:
                answer = await door.translate(user_input(), ID_TOKEN)
                assert answer.status == 200
                try:
                    async with asyncio.timeout(1):
                        await process.wait()
                except TimeoutError:
                    continue
        output, _ = await process.communicate()
        issued = {record.token_id for record in await door.tokens()}
        await channel.queue_delete("my-listener")
    await forgotten(rabbitmq)
    assert process.returncode == 0
    name, _, token_id = output.decode().split()
    assert name == "remint.token.issued"
    assert token_id in issued

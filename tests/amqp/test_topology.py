"""The queues are what the documentation says, or the broker says what is wrong."""

from __future__ import annotations

import ast
import asyncio
import re
from pathlib import Path

import aio_pika
import pytest

from adapters.amqp.topology import EVENTS, QUEUES, REQUESTS
from tests.amqp.conftest import Opened, until_ready
from tests.support.door import Door
from tests.support.rabbitmq import RabbitMQ

PAGE = Path(__file__).parents[2] / "docs" / "amqp.md"


def _documented() -> dict[str, dict[str, str]]:
    """The table of queues: each name with its arguments."""
    rows = re.findall(r"^\| `(remint\.[\w.]+)` \|[^|]*\| (.+) \|$", PAGE.read_text(), re.M)
    return {
        name: {
            key: ast.literal_eval(value) for key, value in re.findall(r"`([\w-]+) = (.*?)`", row)
        }
        for name, row in rows
    }


def test_the_page_has_the_exact_arguments() -> None:
    """The documentation names each queue with the arguments it is declared with."""
    assert _documented() == {name: dict(arguments) for name, arguments in QUEUES.items()}


@pytest.mark.server
@pytest.mark.xdist_group("rabbitmq")
@pytest.mark.parametrize("name", QUEUES)
async def test_declared_as_said(amqp: Door, rabbitmq: RabbitMQ, name: str) -> None:
    """RabbitMQ accepts a declaration with these arguments as the same queue, and no other."""
    async with await aio_pika.connect(rabbitmq.url) as connection:
        channel = await connection.channel()
        await channel.declare_queue(name, durable=True, arguments=dict(QUEUES[name]))
        with pytest.raises(aio_pika.exceptions.ChannelPreconditionFailed):
            await channel.declare_queue(name, durable=True, arguments={})


@pytest.mark.server
@pytest.mark.xdist_group("rabbitmq")
async def test_queues_that_differ(
    opened: Opened, rabbitmq: RabbitMQ, said: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A queue with other arguments is left alone and named in the log; once gone, it is made."""
    async with await aio_pika.connect(rabbitmq.url) as connection:
        channel = await connection.channel()
        await channel.declare_queue(REQUESTS, durable=True)
        async with opened(wait=False) as door:
            await _logged(capsys, said, f"queue {REQUESTS} cannot be declared")
            transport = door.broker.amqp
            assert transport is not None
            assert f"queue {REQUESTS} cannot be declared" in str(transport.trouble)
            [reason] = door.broker.not_ready()
            assert reason.startswith("amqp: not consuming")
            await channel.queue_delete(REQUESTS)
            await until_ready(door)


@pytest.mark.server
@pytest.mark.xdist_group("rabbitmq")
async def test_exchange_that_differs(
    opened: Opened, rabbitmq: RabbitMQ, said: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """An exchange of another kind is left alone and named in the log; once gone, it is made."""
    async with await aio_pika.connect(rabbitmq.url) as connection:
        channel = await connection.channel()
        await channel.exchange_delete(EVENTS)
        await channel.declare_exchange(EVENTS, "fanout", durable=True)
        async with opened(wait=False) as door:
            await _logged(capsys, said, f"exchange {EVENTS} cannot be declared")
            await channel.exchange_delete(EVENTS)
            await until_ready(door)
        await channel.declare_exchange(EVENTS, "topic", durable=True)


async def _logged(capsys: pytest.CaptureFixture[str], said: list[str], text: str) -> None:
    """Waits for a log line; what was read stays in the search for secrets."""
    async with asyncio.timeout(10):
        while not any(text in part for part in said):
            said.extend(capsys.readouterr())
            await asyncio.sleep(0.02)

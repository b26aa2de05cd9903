"""Grouped acknowledgements against a real RabbitMQ: it forgets what ended, and nothing else."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import aio_pika
import pytest
from aiormq.abc import AbstractChannel as RawChannel
from aiormq.abc import DeliveredMessage

from adapters.amqp.acknowledgements import Acknowledgements
from tests.amqp.caller import ANSWER_SECONDS, POLL_SECONDS
from tests.support.rabbitmq import RabbitMQ

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("rabbitmq")]

MANY = 40


@dataclass
class Taken:
    """A queue of ``MANY`` messages, all delivered on one channel and none acknowledged."""

    channel: RawChannel
    other: aio_pika.abc.AbstractChannel
    queue: str
    tags: list[int] = field(default_factory=list)

    async def left(self) -> set[str]:
        """The bodies of what RabbitMQ brings again once the channel is closed."""
        await self.channel.close()
        queue = await self.other.get_queue(self.queue)
        bodies = set()
        while (message := await queue.get(fail=False, no_ack=True)) is not None:
            bodies.add(message.body.decode())
        return bodies


@pytest.fixture
async def taken(rabbitmq: RabbitMQ) -> AsyncIterator[Taken]:
    async with await aio_pika.connect(rabbitmq.url) as connection:
        other = await connection.channel()
        queue = await other.declare_queue(exclusive=True)
        assert connection.transport is not None
        channel = await connection.transport.connection.channel(publisher_confirms=False)
        found = Taken(channel, other, queue.name)

        async def take(message: DeliveredMessage) -> None:
            assert message.body == b"%d" % (message.delivery_tag or 0)
            found.tags.append(message.delivery_tag or 0)

        for number in range(1, MANY + 1):
            await other.default_exchange.publish(aio_pika.Message(b"%d" % number), queue.name)
        await channel.basic_consume(queue.name, take)
        async with asyncio.timeout(ANSWER_SECONDS):
            while len(found.tags) < MANY:  # noqa: ASYNC110  # nobody tells
                await asyncio.sleep(POLL_SECONDS)
        yield found


@pytest.mark.parametrize("seed", range(4))
async def test_in_any_order(taken: Taken, seed: int) -> None:
    """In whatever order and company deliveries end, those in work and no others come again."""
    chance = random.Random(seed)  # noqa: S311  # no secret
    acknowledgements = Acknowledgements(taken.channel)
    order = chance.sample(taken.tags, MANY)
    in_work, ended = set(order[:5]), order[5:]

    async def end(tag: int) -> None:
        for _ in range(chance.randrange(4)):
            await asyncio.sleep(0)
        await acknowledgements.acknowledge(tag)

    while ended:
        together = [ended.pop() for _ in range(min(len(ended), chance.randrange(1, 9)))]
        await asyncio.gather(*map(end, together))
    assert not taken.channel.is_closed
    assert await taken.left() == {str(tag) for tag in in_work}


async def test_what_is_given_back(taken: Taken) -> None:
    """A delivery that was given back comes again, and holds up no acknowledgement after it."""
    acknowledgements = Acknowledgements(taken.channel)
    await acknowledgements.give_back(1)
    await asyncio.gather(*map(acknowledgements.acknowledge, taken.tags[1:]))
    assert not taken.channel.is_closed
    assert await taken.left() == {"1"}


async def test_one_frame(taken: Taken, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deliveries that end together, with nothing older in work, take one frame."""
    frames: list[int] = []
    original = taken.channel.basic_ack

    async def counted(tag: int, multiple: bool = False) -> None:
        frames.append(tag)
        await original(tag, multiple=multiple)

    monkeypatch.setattr(taken.channel, "basic_ack", counted)
    acknowledgements = Acknowledgements(taken.channel)
    await asyncio.gather(*map(acknowledgements.acknowledge, reversed(taken.tags)))
    assert frames == [MANY]
    assert await taken.left() == set()

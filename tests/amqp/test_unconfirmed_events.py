"""An event that is never confirmed stays in the outbox, and holds no other event up."""

from __future__ import annotations

import asyncio

import pytest

from adapters.amqp import events as amqp_events
from adapters.amqp.topology import EVENTS
from adapters.events import announcer, cloudevents
from tests.amqp.caller import POLL_SECONDS, calling
from tests.amqp.conftest import Opened
from tests.amqp.listener import EVENT_SECONDS, forgotten, listening
from tests.amqp.stopped import stopped
from tests.support.confirm_proxy import confirm_proxy
from tests.support.door import ELEMENT, ID_TOKEN, Door, an_instance, user_input
from tests.support.planted import Planted
from tests.support.rabbitmq import RabbitMQ

pytestmark = [
    pytest.mark.server,
    pytest.mark.slow,
    pytest.mark.xdist_group("rabbitmq"),
]

MUTE = f"token.issued.root.{ELEMENT}"
OTHERS = 3


@pytest.fixture(autouse=True)
def _short_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was taken up in vain falls due again soon."""
    monkeypatch.setattr(cloudevents, "DUE_AFTER_SECONDS", 0.5)
    monkeypatch.setattr(announcer, "SWEEP_SECONDS", 0.2)
    monkeypatch.setattr(announcer, "LEASE_SECONDS", 1.0)
    monkeypatch.setattr(announcer, "MAX_PAUSE_SECONDS", 1.0)
    monkeypatch.setattr(amqp_events, "CONFIRM_SECONDS", 1.0)
    monkeypatch.setattr(amqp_events, "LOOK_SECONDS", 0.2)


async def _translated(door: Door, element: str) -> None:
    answer = await door.translate(user_input(), ID_TOKEN, instance=element)
    assert answer.status == 200, answer.text


async def _outbox_holds(door: Door, waiting: int) -> None:
    async with asyncio.timeout(EVENT_SECONDS):
        while await door.broker.stores.outbox.size() != waiting:  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(POLL_SECONDS)


async def test_event_never_confirmed(opened: Opened, rabbitmq: RabbitMQ) -> None:
    """While a queue confirms no event of one instance, those of another arrive and leave the outbox
    over the same connection; the one stays, and leaves once it is confirmed."""
    await forgotten(rabbitmq)
    async with confirm_proxy(rabbitmq.port) as proxy, listening(rabbitmq) as listener:
        proxy.mute = {MUTE}
        url = f"amqp://broker:broker-password@127.0.0.1:{proxy.port}/"
        async with opened(amqp={"url": url}) as door:
            await door.publish(an_instance("orders"))
            await _translated(door, ELEMENT)
            await listener.until("token.issued")
            await _outbox_holds(door, 1)
            connections = proxy.connections
            for _ in range(OTHERS):
                await _translated(door, "orders")
            await _outbox_holds(door, 1)
            assert proxy.passed["token.issued.root.orders"] >= OTHERS
            assert proxy.connections == connections
            proxy.let_through()
            await _outbox_holds(door, 0)
            assert proxy.passed[MUTE] == 1
            issued = await listener.until("token.issued", 1 + OTHERS)
            tokens = {record.token_id for record in await door.tokens()}
    assert {event["data"]["token_id"] for event in issued} == tokens
    await forgotten(rabbitmq)


async def test_queue_that_stands_still(
    opened: Opened, rabbitmq: RabbitMQ, planted: Planted
) -> None:
    """The same where RabbitMQ itself is held up by a queue that is bound for one instance."""
    await forgotten(rabbitmq)
    async with listening(rabbitmq) as listener, calling(rabbitmq, planted, "alice") as alice:
        quorum = {"x-queue-type": "quorum"}
        stuck = await alice.channel.declare_queue("stuck", durable=True, arguments=quorum)
        await stuck.bind(EVENTS, MUTE)
        async with opened() as door:
            await door.publish(an_instance("orders"))
            async with stopped(rabbitmq, "stuck"):
                await _translated(door, ELEMENT)
                for _ in range(OTHERS):
                    await _translated(door, "orders")
                await _outbox_holds(door, 1)
            await _outbox_holds(door, 0)
            issued = await listener.until("token.issued", 1 + OTHERS)
            tokens = {record.token_id for record in await door.tokens()}
        await stuck.delete(if_unused=False, if_empty=False)
    assert {event["data"]["token_id"] for event in issued} == tokens
    await forgotten(rabbitmq)


async def test_no_event_confirmed(opened: Opened, rabbitmq: RabbitMQ) -> None:
    """A connection on which nothing is confirmed is given up; the events leave over another."""
    await forgotten(rabbitmq)
    async with confirm_proxy(rabbitmq.port) as proxy:
        url = f"amqp://broker:broker-password@127.0.0.1:{proxy.port}/"
        async with opened(amqp={"url": url}) as door:
            connections = proxy.connections
            proxy.mute_all = True
            await _translated(door, ELEMENT)
            async with asyncio.timeout(EVENT_SECONDS):
                while proxy.connections < connections + 2:  # noqa: ASYNC110  # nobody tells
                    await asyncio.sleep(POLL_SECONDS)
            proxy.let_through()
            await _outbox_holds(door, 0)
    await forgotten(rabbitmq)

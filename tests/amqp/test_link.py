"""The link is lost, slow or stopping: requests wait or are finished, none is dropped."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from adapters.amqp.topology import REQUESTS
from broker.errors import Unavailable
from broker.ports import AuditRecord
from broker.testing import OneByOne
from tests.amqp.caller import SILENCE_SECONDS, Caller, calling, translation
from tests.amqp.conftest import Opened, all_acknowledged, until_ready
from tests.support.door import Door
from tests.support.planted import MARK, Planted
from tests.support.rabbitmq import RabbitMQ

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("rabbitmq")]

# RabbitMQ 3.10 writes down now and then which quorum queues it has; a queue that was made again
# under its name in the moment before a kill does not start afterwards.
REGISTER_SECONDS = 2.0
DESK = "remint.reply.alice.office"


class Audit(OneByOne):
    """An audit sink that asks ``before`` each record; a test lets it wait or fail there."""

    def __init__(self, before: Callable[[], None] | None = None) -> None:
        self.records: list[AuditRecord] = []
        self.entered = asyncio.Event()
        self.let_go = asyncio.Event()
        self.before = before
        if before is not None:
            self.let_go.set()

    async def record(self, record: AuditRecord) -> None:
        self.entered.set()
        await self.let_go.wait()
        if self.before is not None:
            self.before()
        self.records.append(record)


def failing(error: Exception, times: int) -> Callable[[], None]:
    """Raises ``error`` the first ``times`` times."""
    left = [error] * times

    def fail() -> None:
        if left:
            raise left.pop()

    return fail


async def test_connections_closed_by_the_server(
    amqp: Door, rabbitmq: RabbitMQ, planted: Planted
) -> None:
    """After the server has closed every connection the consumer comes back by itself."""
    await asyncio.to_thread(rabbitmq.control, "close_all_connections", "test")
    await until_ready(amqp, ready=False)
    await until_ready(amqp)
    async with calling(rabbitmq, planted, "alice") as alice:
        assert (await alice.ask(translation())).status == 200


async def test_queue_deleted(amqp: Door, alice: Caller) -> None:
    """When the queue is deleted under the consumer it is made again and consumed."""
    await alice.channel.queue_delete("remint.requests")
    await until_ready(amqp, ready=False)
    await until_ready(amqp)
    assert (await alice.ask(translation())).status == 200


async def test_server_killed_with_a_request_in_hand(
    opened: Opened, rabbitmq: RabbitMQ, planted: Planted
) -> None:
    """A request in work when the server is killed is answered after its restart; one token."""
    audit = Audit()
    async with opened(audit=audit) as door:
        async with calling(rabbitmq, planted, "alice") as alice:
            await alice.channel.declare_queue(DESK, durable=True)
            await alice.send(translation(), message_id="m-1", reply_to=DESK)
            await audit.entered.wait()
            await asyncio.sleep(REGISTER_SECONDS)
            rabbitmq.kill()
        audit.let_go.set()
        await until_ready(door, ready=False)
        rabbitmq.launch()
        await asyncio.to_thread(rabbitmq.wait_ready)
        await until_ready(door)
        async with calling(rabbitmq, planted, "alice") as alice:
            alice.replies = await alice.channel.get_queue(DESK)
            reply = await alice.reply()
            await alice.channel.queue_delete(DESK)
        [record] = await door.tokens()
        assert reply.headers["token-id"] == record.token_id


async def test_drain_finishes_what_is_in_hand(opened: Opened, alice: Caller) -> None:
    """A stop waits for the request in work, answers it, and takes no other."""
    audit = Audit()
    async with opened(audit=audit) as door:
        transport = door.broker.amqp
        assert transport is not None
        await alice.send(translation(), message_id="m-1")
        await audit.entered.wait()
        stopping = asyncio.create_task(transport.drain(10))
        await until_ready(door, ready=False)
        await asyncio.sleep(SILENCE_SECONDS)
        await alice.send(translation(), message_id="m-2")
        audit.let_go.set()
        assert (await alice.reply()).message.correlation_id == "m-1"
        await stopping
        await alice.until_waiting(REQUESTS, 1)
        assert len(audit.records) == 1


async def test_drain_has_an_end(opened: Opened, alice: Caller) -> None:
    """What is not finished when the time is up goes back to the queue."""
    audit = Audit()
    async with opened(audit=audit) as door:
        transport = door.broker.amqp
        assert transport is not None
        await alice.send(translation(), message_id="m-1")
        await audit.entered.wait()
        await transport.drain(0.1)
        await alice.until_waiting(REQUESTS, 1)
    async with opened():
        assert (await alice.reply()).status == 200


async def test_drain_without_a_server(opened: Opened) -> None:
    """A broker that never reached its message server stops at once all the same."""
    async with opened(wait=False, amqp={"url": "amqp://nobody:pl4nted@127.0.0.1:9/"}) as door:
        transport = door.broker.amqp
        assert transport is not None
        assert not transport.ready
        async with asyncio.timeout(5):
            await transport.drain(60)


async def test_a_failure_that_passes(opened: Opened, alice: Caller) -> None:
    """A request that failed for a moment is tried again in place, and answered once."""
    audit = Audit(failing(Unavailable("the audit is down"), times=2))
    async with opened(audit=audit) as door:
        assert (await alice.ask(translation())).status == 200
        assert len(await door.tokens()) == 1
        assert await alice.silent()


async def test_a_failure_that_stays(opened: Opened, alice: Caller) -> None:
    """A request that keeps failing is answered 503, to be asked again with the same id."""
    audit = Audit(failing(Unavailable("the audit is down"), times=100))
    async with opened(audit=audit) as door:
        reply = await alice.ask(translation(), message_id="m-1")
        assert (reply.status, reply.headers["retry"]) == (503, "same-id")
        audit.before = None
        assert (await alice.ask(translation(), message_id="m-1")).status == 200
        await all_acknowledged(door, alice)


async def test_an_unexpected_failure(opened: Opened, alice: Caller) -> None:
    """An error nobody foresaw is answered 500, and nothing of its text leaves or is logged."""
    audit = Audit(failing(ValueError(f"quotes a password: {MARK}"), times=100))
    async with opened(audit=audit) as door:
        reply = await alice.ask(translation())
        assert (reply.status, reply.headers["retry"]) == (500, "same-id")
        assert reply.body == {
            "code": 500,
            "reason": "Internal Server Error",
            "message": "Internal Server Error",
        }
        await all_acknowledged(door, alice)

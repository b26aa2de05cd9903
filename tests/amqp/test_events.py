"""Events over a real RabbitMQ: each arrives, once in effect, whatever happens to the server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aio_pika
import pytest
import structlog

from adapters.amqp import events as amqp_events
from adapters.amqp.topology import EVENTS
from adapters.events.catalogue import KINDS
from broker.instance import Instance
from tests.amqp.caller import POLL_SECONDS, Caller, translation
from tests.amqp.conftest import Opened
from tests.amqp.listener import EVENT_SECONDS, Listener, forgotten, listening
from tests.support.door import ID_TOKEN, REALM, Door, FrozenClock, an_instance, user_input
from tests.support.hurried import quick_events
from tests.support.planted import Planted
from tests.support.rabbitmq import RabbitMQ

pytestmark = [
    pytest.mark.server,
    pytest.mark.slow,
    pytest.mark.xdist_group("rabbitmq"),
]

TRACEPARENT = f"00-{'a' * 31}1-{'b' * 15}2-01"


@pytest.fixture
async def listener(rabbitmq: RabbitMQ) -> AsyncIterator[Listener]:
    await forgotten(rabbitmq)
    async with listening(rabbitmq) as found:
        yield found
    await forgotten(rabbitmq)


@pytest.fixture
def _short_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was taken up in vain falls due again soon."""
    quick_events(monkeypatch)


async def _translated(door: Door, key: str | None = None, **more: Any) -> None:
    head = {"traceparent": TRACEPARENT, **({"Idempotency-Key": key} if key else {})}
    answer = await door.translate(user_input(), ID_TOKEN, headers=head, **more)
    assert answer.status == 200, answer.text


async def _wait_for(door: Door, waiting: int) -> None:
    """Until so many announcements are in the outbox."""
    async with asyncio.timeout(EVENT_SECONDS):
        while await door.broker.stores.outbox.size() != waiting:  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(POLL_SECONDS)


async def _every_fact(door: Door, clock: FrozenClock) -> None:
    """All that can happen, once at least."""
    admin = await door.admin()
    await _publish(door, admin, an_instance("orders"))
    await _update(door, admin, an_instance("orders", persist=False))
    answer = await door.request("DELETE", "/sts-publish/rest/orders", headers=admin)
    assert answer.status == 200, answer.text
    await _translated(door)
    issued = await door.translate(user_input(), ID_TOKEN)
    state = {"token_type": "OPENIDCONNECT", "oidc_id_token": issued.body["issued_token"]}
    assert (await door.cancel(state)).status == 200
    assert (await door.translate(user_input("wrong"), ID_TOKEN)).status == 401
    body = {"algorithm": "ES256"}
    rotated = await door.request("POST", "/json/keys?_action=rotate", body=body, headers=admin)
    body = {"kid": rotated.body["kid"]}
    answer = await door.request("POST", "/json/keys?_action=revoke", body=body, headers=admin)
    assert answer.status == 200, answer.text
    clock.advance(3600)
    await door.broker.components.lifecycle.reap()


async def _publish(door: Door, admin: dict[str, str], instance: Instance) -> None:
    from adapters.instances import forgerock

    body = {
        "invocation_context": "invocation_context_client_sdk",
        "instance_state": forgerock.encode(instance),
    }
    answer = await door.request(
        "POST", "/sts-publish/rest?_action=create", body=body, headers=admin
    )
    assert answer.status == 201, answer.text


async def _update(door: Door, admin: dict[str, str], instance: Instance) -> None:
    from adapters.instances import forgerock

    body = {
        "invocation_context": "invocation_context_client_sdk",
        "instance_state": forgerock.encode(instance),
    }
    answer = await door.request("PUT", "/sts-publish/rest/orders", body=body, headers=admin)
    assert answer.status == 200, answer.text


async def test_every_type_arrives(opened: Opened, listener: Listener, planted: Planted) -> None:
    """Each type of event arrives as a persistent CloudEvent under its routing key, and none
    carries a token or a name."""
    clock = FrozenClock()
    async with opened(clock=clock) as door:
        await _every_fact(door, clock)
        for kind in KINDS:
            await listener.until(kind.name)
        await _wait_for(door, 0)
    for message, body in zip(listener.messages, listener.bodies, strict=True):
        assert message.content_type == "application/cloudevents+json"
        assert message.delivery_mode == aio_pika.DeliveryMode.PERSISTENT
        assert message.message_id == body["id"]
        assert body["type"] == f"remint.{message.type}"
        assert (message.routing_key or "").startswith(f"{message.type}.root")
        assert body["data"].get("principal") != "demo"
    assert {body["traceparent"] for body in listener.of("token.issued")[:1]} == {TRACEPARENT}
    assert not planted.found_in([message.body.decode() for message in listener.messages])


async def test_one_token_is_announced_once(
    opened: Opened, listener: Listener, alice: Caller
) -> None:
    """Requests that are answered from the store, over HTTP or a queue, announce nothing."""
    async with opened() as door:
        for _ in range(3):
            await _translated(door, key="one")
            assert (await alice.ask(translation(), message_id="m-1")).status == 200
        await _translated(door, key="last")
        issued = await listener.until("token.issued", 3)
        records = await door.tokens()
        await _wait_for(door, 0)
    assert {event["data"]["token_id"] for event in issued} == {one.token_id for one in records}
    assert len([one for one in listener.bodies if one["type"] == "remint.token.issued"]) == 3


async def test_principal_in_plain_text(opened: Opened, listener: Listener) -> None:
    """``events.principal = "plain"`` puts the name into the event."""
    async with opened(events={"principal": "plain"}) as door:
        await _translated(door)
        [event] = await listener.until("token.issued")
    assert event["data"]["principal"] == "demo"


async def test_bindings_pick_a_realm(opened: Opened, rabbitmq: RabbitMQ) -> None:
    """A binding by realm gets that realm's events and no others."""
    await forgotten(rabbitmq)
    async with listening(rabbitmq, "token.issued.fred:bobo.*") as one, opened() as door:
        await door.publish(an_instance("sub", realm=REALM))
        await _translated(door)
        await _translated(door, instance=f"{REALM.strip('/')}/sub")
        event = await one.take()
        await _wait_for(door, 0)
    await forgotten(rabbitmq)
    assert event["data"]["realm"] == REALM
    assert len(one.bodies) == 1


async def test_nobody_listens(opened: Opened, rabbitmq: RabbitMQ) -> None:
    """That no queue is bound is no failure: the events leave the outbox."""
    await forgotten(rabbitmq)
    async with opened() as door:
        await _translated(door)
        await _wait_for(door, 0)
    await forgotten(rabbitmq)


@pytest.mark.usefixtures("_short_leases")
async def test_exchange_that_is_another(opened: Opened, rabbitmq: RabbitMQ) -> None:
    """An exchange of another kind is named in the log and left alone; translations go on, and the
    events arrive once it is right."""
    await forgotten(rabbitmq)
    async with await aio_pika.connect(rabbitmq.url) as connection:
        channel = await connection.channel()
        await channel.declare_exchange(EVENTS, "direct", durable=True)
        with structlog.testing.capture_logs() as logs:
            async with opened(wait=False) as door:
                await _translated(door)
                await _until_logged(logs, "events not sent")
                await channel.exchange_delete(EVENTS)
                async with listening(rabbitmq) as listener:
                    await listener.until("token.issued")
                await _wait_for(door, 0)
    await forgotten(rabbitmq)
    [reason] = {line["reason"] for line in logs if line["event"] == "events not sent"}
    assert "exchange remint.events cannot be declared" in reason
    assert "durable topic exchange" in reason


@pytest.mark.usefixtures("_short_leases")
async def test_server_is_away(opened: Opened, rabbitmq: RabbitMQ, listener: Listener) -> None:
    """While RabbitMQ is down tokens are issued all the same; afterwards every event arrives."""
    async with opened() as door:
        await _translated(door)
        await listener.until("token.issued")
        rabbitmq.kill()
        try:
            for _ in range(20):
                await _translated(door)
            assert await door.broker.stores.outbox.size() >= 20
        finally:
            rabbitmq.launch()
            await asyncio.to_thread(rabbitmq.wait_ready)
        async with listening(rabbitmq) as again:
            await _wait_for(door, 0)
            records = {record.token_id for record in await door.tokens()}
            # The first may come again, since its confirm may have been lost.
            first = {event["data"]["token_id"] for event in listener.of("token.issued")}
            while (
                first | {event["data"]["token_id"] for event in again.of("token.issued")} < records
            ):
                await again.take()
    assert len(records) == 21


@pytest.mark.usefixtures("_short_leases")
async def test_server_with_an_alarm(
    opened: Opened, rabbitmq: RabbitMQ, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A RabbitMQ that reads nothing holds up no translation; the outbox keeps what it is to get."""
    monkeypatch.setattr(amqp_events, "CONFIRM_SECONDS", 0.5)
    with structlog.testing.capture_logs() as logs:
        async with opened() as door:
            await asyncio.to_thread(rabbitmq.control, "set_vm_memory_high_watermark", "0")
            try:
                await _translated(door)
                await _until_logged(logs, "events not sent")
                assert await door.broker.stores.outbox.size() >= 1
            finally:
                await asyncio.to_thread(rabbitmq.control, "set_vm_memory_high_watermark", "0.6")
            await listener.until("token.issued")
            await _wait_for(door, 0)


@pytest.mark.usefixtures("_short_leases")
async def test_listener_that_is_full(opened: Opened, rabbitmq: RabbitMQ) -> None:
    """A bound queue that refuses messages loses none: they arrive once it has room."""
    await forgotten(rabbitmq)
    async with await aio_pika.connect(rabbitmq.url) as connection:
        channel = await connection.channel()
        exchange = await channel.declare_exchange(EVENTS, "topic", durable=True)
        arguments = {"x-max-length": 1, "x-overflow": "reject-publish"}
        queue = await channel.declare_queue("full", exclusive=True, arguments=arguments)
        await queue.bind(exchange, "token.issued.#")
        with structlog.testing.capture_logs() as logs:
            async with opened() as door:
                for _ in range(3):
                    await _translated(door)
                await _until_logged(logs, "events not sent")
                taken = Listener(queue)
                await taken.until("token.issued", 3)
                records = {record.token_id for record in await door.tokens()}
    await forgotten(rabbitmq)
    assert {event["data"]["token_id"] for event in taken.of("token.issued")} == records


async def _until_logged(logs: list[Any], event: str) -> None:
    async with asyncio.timeout(EVENT_SECONDS):
        while event not in [line["event"] for line in logs]:  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(POLL_SECONDS)


async def test_not_sent(opened: Opened, listener: Listener) -> None:
    """With ``events.send = false`` a message server that brings requests gets no events, and
    nothing waits for it."""
    async with opened(events={"send": False}) as door:
        await _translated(door)
        await _wait_for(door, 0)
    assert await listener.silent()

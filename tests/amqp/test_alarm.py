"""RabbitMQ runs out of memory: answers wait, cancels take effect, and then all goes on."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from adapters.amqp.topology import CONTROL
from tests.amqp.caller import ANSWER_SECONDS, POLL_SECONDS, Caller, translation
from tests.amqp.conftest import until_consuming, until_ready
from tests.support.door import Door
from tests.support.rabbitmq import RabbitMQ

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("rabbitmq")]


@contextlib.asynccontextmanager
async def _alarm(rabbitmq: RabbitMQ) -> AsyncIterator[None]:
    """A memory alarm, over at the end."""
    await asyncio.to_thread(rabbitmq.control, "set_vm_memory_high_watermark", "0.000001")
    try:
        yield
    finally:
        await asyncio.to_thread(rabbitmq.control, "set_vm_memory_high_watermark", "0.9")


async def test_alarm(amqp: Door, rabbitmq: RabbitMQ, alice: Caller) -> None:
    """A translation's answer waits and new ones stay in the queue; a cancel takes effect."""
    token = (await alice.ask(translation())).body["issued_token"]
    state = {"token_type": "OPENIDCONNECT", "oidc_id_token": token}
    cancel = {"instance": "username-transformer", "cancelled_token_state": state}
    translate_now = await alice.hold(translation())
    cancel_now = await alice.hold(cancel, type="cancel", queue=CONTROL)
    async with _alarm(rabbitmq):
        await translate_now()
        await until_ready(amqp, ready=False)
        assert amqp.broker.amqp is not None
        assert "takes no answers" in str(amqp.broker.amqp.trouble)
        await until_consuming(amqp, CONTROL)
        assert len(await amqp.tokens()) == 2
        await cancel_now()
        async with asyncio.timeout(ANSWER_SECONDS):
            while len(await amqp.tokens()) != 1:  # noqa: ASYNC110  # nobody tells us
                await asyncio.sleep(POLL_SECONDS)
        assert await alice.silent()
    assert [(await alice.reply()).status for _ in range(2)] == [200, 200]
    await until_ready(amqp)
    assert (await alice.ask(translation())).status == 200
    assert await alice.silent()
    assert await alice.waiting(CONTROL) == 0

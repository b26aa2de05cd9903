"""A request that comes again while it is in work, or after it was answered."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from adapters.amqp.topology import BATCHES, EXPIRED
from adapters.messages import worker
from broker import claiming
from tests.amqp.caller import Caller, translation
from tests.amqp.conftest import Opened, all_acknowledged, until_ready
from tests.support.door import ELEMENT, ID_TOKEN, Door, session_input

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("rabbitmq")]


async def test_redelivered_while_in_work(
    amqp: Door, alice: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy that comes over a new link waits for the work in hand, and answers with what came of
    it."""
    monkeypatch.setattr(claiming, "CLAIM_WAIT_SECONDS", 0.1)
    monkeypatch.setattr(worker, "RETRY_PAUSES", ())
    transport = amqp.broker.amqp
    assert transport is not None
    begun, let_go = asyncio.Event(), asyncio.Event()
    batches = amqp.broker.components.pipeline._batches
    translate = batches._translate

    async def slow(*given: Any) -> Any:
        begun.set()
        await let_go.wait()
        return await translate(*given)

    monkeypatch.setattr(batches, "_translate", slow)
    part = {"input_token_state": session_input(await amqp.login()), "output_token_state": ID_TOKEN}
    body = {"instance": ELEMENT, "requests": [part]}
    await alice.send(body, type="translate.batch", message_id="m-1", queue=BATCHES)
    await begun.wait()
    link = transport._link
    assert link is not None
    link.abandon()
    await until_ready(amqp, ready=False)
    await until_ready(amqp)
    async with asyncio.timeout(30):
        while transport._room.in_work[BATCHES] < 2:  # noqa: ASYNC110  # a counter has no event
            await asyncio.sleep(0.02)
    assert await alice.silent()
    let_go.set()
    reply = await alice.reply()
    assert reply.status == 200
    alice.planted.note(reply.body["results"][0]["issued_token"])
    assert len(await amqp.tokens()) == 1
    await all_acknowledged(amqp, alice)


async def test_expired_after_its_answer(opened: Opened, alice: Caller) -> None:
    """A request that has its token gets it, though it expired in the queue when it came again."""
    async with opened() as first:
        token = (await alice.ask(translation(), message_id="m-1")).raw
        assert first.broker.amqp is not None
        await first.broker.amqp.drain(5)
        await alice.send(translation(), message_id="m-1", expiration=0.05)
        await alice.until_waiting(EXPIRED, 1)
        async with opened() as second:
            assert (await alice.reply()).raw == token
            assert len(await second.tokens()) == 1

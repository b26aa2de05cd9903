"""A message that RabbitMQ will not take costs nobody else an answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aio_pika import Message
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from adapters.amqp import alone, publisher
from adapters.amqp.publish import LinkLostError, publish
from adapters.amqp.topology import BATCHES
from tests.amqp.caller import Caller, translation
from tests.amqp.conftest import Opened, all_acknowledged
from tests.support.door import ELEMENT, Door, user_input
from tests.support.rabbitmq import RabbitMQ

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("rabbitmq")]

MAX_MESSAGE_BYTES = 48 * 1024
USUAL_MESSAGE_BYTES = 128 * 1024 * 1024
PARTS = 30
BESIDE = 5


@pytest.fixture
async def strait(rabbitmq: RabbitMQ) -> AsyncIterator[None]:
    """Channels that are opened from now on take small messages alone."""
    await _limit(rabbitmq, MAX_MESSAGE_BYTES)
    yield
    await _limit(rabbitmq, USUAL_MESSAGE_BYTES)


async def _limit(rabbitmq: RabbitMQ, size: int) -> None:
    setting = f"application:set_env(rabbit, max_message_size, {size})."
    await asyncio.to_thread(rabbitmq.control, "eval", setting)


async def test_answer_too_large(
    strait: None, links: list[str], amqp: Door, alice: Caller, mallory: Caller
) -> None:
    """An answer over RabbitMQ's limit is given up: its request is acknowledged, its tokens stand,
    and answers that were under way beside it arrive."""
    wanted = {"token_type": "OPENIDCONNECT", "nonce": "n" * 1000, "allow_access": True}
    part = {"input_token_state": user_input(), "output_token_state": wanted}
    body = {"instance": ELEMENT, "requests": [part] * PARTS}
    await mallory.send(body, type="translate.batch", message_id="large", queue=BATCHES)
    for _ in range(2):
        for number in range(BESIDE):
            await alice.send(translation(), message_id=f"m-{number}")
        statuses = {(await alice.reply()).status for _ in range(BESIDE)}
        assert statuses == {200}
    async with asyncio.timeout(30):
        while len(await amqp.tokens()) < PARTS + BESIDE:  # noqa: ASYNC110  # nobody tells us
            await asyncio.sleep(0.05)
    assert (await alice.ask(translation())).status == 200
    assert await mallory.silent()
    await all_acknowledged(amqp, mallory)
    assert await mallory.waiting(BATCHES) == 0
    # One more where another answer reached the channel in the moment in which RabbitMQ closed it:
    # then it ends the whole connection.
    assert len(links) <= 2


async def test_dead_letter_too_large(
    strait: None, links: list[str], opened: Opened, alice: Caller, tmp_path: Path
) -> None:
    """A dead letter that is too large with its body goes without it."""
    public = tmp_path / "public.pem"
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    public.write_bytes(key.public_bytes(encoding, form))
    async with opened(amqp={"dead_letter_key": public}) as door:
        await alice.send(b"{" * (MAX_MESSAGE_BYTES - 4096), message_id="m-1", reply_to=None)
        letter = await alice.dead_letter()
        assert (letter.message_id, letter.body) == ("m-1", b"")
        assert (await alice.ask(translation())).status == 200
        await all_acknowledged(door, alice)
    assert links == ["link"]


async def test_answer_that_ends_links(
    monkeypatch: pytest.MonkeyPatch, links: list[str], amqp: Door, alice: Caller, mallory: Caller
) -> None:
    """An answer over which a link was lost goes alone from then on, and at last not at all."""
    monkeypatch.setattr(publisher, "publish", _ending("fatal", close=True))
    monkeypatch.setattr(alone, "publish", _ending("fatal"))
    await mallory.send(translation(), message_id="fatal")
    for _ in range(3):
        assert (await alice.ask(translation())).status == 200
    await all_acknowledged(amqp, mallory)
    assert await mallory.silent()
    assert len(links) == 2
    tokens = await amqp.tokens()
    assert len(tokens) == 4


def _ending(fatal: str, *, close: bool = False) -> Any:
    """Publishes, but fails at the answer to one request, and may end the connection over it."""

    async def ending(channel: Any, queue: str, message: Message, **given: Any) -> None:
        if message.correlation_id == fatal:
            if close:
                await channel._connection.close()
            raise LinkLostError
        await publish(channel, queue, message, **given)

    return ending

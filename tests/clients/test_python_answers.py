"""Answers as a broker may give them: late, twice, in part, or mixed with noise."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import aio_pika
import pytest
from remint_client import IssuedToken, Refused, RemintClient, UnexpectedAnswer

from adapters.amqp.topology import BATCHES, REQUESTS
from tests.clients.noted import Noted
from tests.support.door import ELEMENT
from tests.support.planted import Planted
from tests.support.rabbitmq import RabbitMQ

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("rabbitmq")]

Replies = list[tuple[bytes, dict[str, Any]]]


def _answer(text: str) -> tuple[bytes, dict[str, Any]]:
    return b'{"issued_token": "%s"}' % text.encode(), {"status": 200, "retry": "never"}


UNAVAILABLE = b'{"code": 503, "reason": "Service Unavailable", "message": "ask again"}'
OPEN = b'{"results": [%s]}' % UNAVAILABLE, {"status": 200, "retry": "same-id"}


def _open_at_first(id: str, asked: list[str]) -> Replies:
    done = b'{"results": [{"issued_token": "t-1"}]}', {"status": 200, "retry": "never"}
    return [OPEN if len(asked) == 1 else done]


def _always_open(id: str, asked: list[str]) -> Replies:
    return [OPEN]


def _twice(id: str, asked: list[str]) -> Replies:
    return [_answer(id), _answer(id)]


def _from_the_third_on(id: str, asked: list[str]) -> Replies:
    return [_answer(id)] if len(asked) >= 3 else []


def _after_noise(id: str, asked: list[str]) -> Replies:
    return [(b"{", {"status": 200}), (b"[]", {"status": 200}), (b"{}", {}), _answer(id)]


def _always(body: bytes) -> Callable[[str, list[str]], Replies]:
    def replies(id: str, asked: list[str]) -> Replies:
        return [(body, {"status": 200, "retry": "never"})]

    return replies


@contextlib.asynccontextmanager
async def answering(
    rabbitmq: RabbitMQ, replies: Callable[[str, list[str]], Replies], queue: str = REQUESTS
) -> AsyncIterator[list[str]]:
    """Stands in for a broker that answers as ``replies`` says; yields the ids it was asked."""
    asked: list[str] = []
    async with await aio_pika.connect(rabbitmq.url) as connection:
        channel = await connection.channel()
        requests = await channel.declare_queue(queue, auto_delete=True)

        async def answer(message: aio_pika.abc.AbstractIncomingMessage) -> None:
            asked.append(message.message_id or "")
            for body, headers in replies(asked[-1], asked):
                reply = aio_pika.Message(
                    body, headers=headers, correlation_id=message.correlation_id
                )
                await channel.default_exchange.publish(reply, message.reply_to or "")

        await requests.consume(answer, no_ack=True)
        yield asked


async def test_an_open_part_is_asked_for_again(rabbitmq: RabbitMQ, client: RemintClient) -> None:
    """A batch of which a part failed for a moment is asked for again, under its id."""
    async with answering(rabbitmq, _open_at_first, BATCHES) as asked:
        found = await client.translate_batch(ELEMENT, [({}, {})], request_id="b-1")
    assert found == [IssuedToken("t-1", "b-1")]
    assert asked == ["b-1", "b-1"]


async def test_a_part_that_stays_open(rabbitmq: RabbitMQ, client: RemintClient) -> None:
    """When the time is up, a batch is returned as it stands, and says what to ask again for."""
    async with answering(rabbitmq, _always_open, BATCHES):
        [part] = await client.translate_batch(ELEMENT, [({}, {})], timeout=1.0)
    assert isinstance(part, Refused)
    assert part.retry == "same-id"


async def test_duplicate_answers(rabbitmq: RabbitMQ, client: RemintClient) -> None:
    """Of two answers to one request the second is dropped; the next request gets its own."""
    async with answering(rabbitmq, _twice) as asked:
        first = await client.translate(ELEMENT, {}, {}, request_id="m-1")
        second = await client.translate(ELEMENT, {}, {}, request_id="m-2")
    assert (first.token, second.token) == ("m-1", "m-2")
    assert asked == ["m-1", "m-2"]


async def test_an_answer_that_got_lost(rabbitmq: RabbitMQ, planted: Planted) -> None:
    """Without an answer the same request is sent again, under the same id."""
    impatient = Noted(planted, rabbitmq.url_for("alice"), resend_seconds=0.2)
    async with answering(rabbitmq, _from_the_third_on) as asked, impatient as client:
        await client.translate(ELEMENT, {}, {}, request_id="m-1")
    assert asked[:3] == ["m-1", "m-1", "m-1"]


async def test_noise_in_the_reply_queue(rabbitmq: RabbitMQ, client: RemintClient) -> None:
    """What is no answer is passed over, and the answer after it counts."""
    async with answering(rabbitmq, _after_noise):
        found = await client.translate(ELEMENT, {}, {}, request_id="m-1")
    assert found.token == "m-1"


@pytest.mark.parametrize("body", [b"{}", b'{"issued_token": null}', b'{"issued_token": 7}'])
async def test_no_token_in_the_answer(
    rabbitmq: RabbitMQ, client: RemintClient, body: bytes
) -> None:
    """A success without a token is an error, never an empty token."""
    async with answering(rabbitmq, _always(body)):
        with pytest.raises(UnexpectedAnswer):
            await client.translate(ELEMENT, {}, {})


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"results": 7}',
        b'{"results": []}',
        b'{"results": [7]}',
        b'{"results": [{"issued_token": null}]}',
        b'{"results": [{"issued_token": "a"}, {"issued_token": "b"}]}',
    ],
)
async def test_no_results_in_the_answer(
    rabbitmq: RabbitMQ, client: RemintClient, body: bytes
) -> None:
    """A batch has a token or a refusal for each part; whatever else comes is an error."""
    async with answering(rabbitmq, _always(body), BATCHES):
        with pytest.raises(UnexpectedAnswer):
            await client.translate_batch(ELEMENT, [({}, {})])

"""Generated garbage, five thousand messages of it, neither stops the consumer nor comes back."""

from __future__ import annotations

import asyncio
import contextlib
import json
from datetime import UTC, datetime
from typing import Any

import aio_pika
import pytest
from aiormq.abc import DeliveredMessage
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from adapters.amqp.topology import BATCHES, CONTROL, DEAD, REQUESTS
from tests.amqp.caller import Caller, translation
from tests.amqp.conftest import all_acknowledged
from tests.support.door import Door

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.xdist_group("rabbitmq")]

MESSAGES = 5000
IN_FLIGHT = 200
DRAIN_SECONDS = 120.0
# By these RabbitMQ routes copies. They, x-death and floats that are no number end the publisher.
ROUTING = {"CC", "BCC"}

_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["instance", "input_token_state", "output_token_state", "requests", "token_type"]
            )
            | st.text(max_size=8),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
_body = st.one_of(
    st.binary(max_size=300),
    _json.map(lambda value: json.dumps(value).encode()),
    st.just(b""),
)
_short = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=40)
_header = (
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(width=32, allow_nan=False, allow_infinity=False)
    | st.text(max_size=30)
    | st.binary(max_size=30).map(bytearray)
    | st.none()
    | st.just(datetime(2020, 1, 1, tzinfo=UTC))
    | st.lists(st.integers(0, 9), max_size=3)
    | st.dictionaries(st.text(min_size=1, max_size=5), st.booleans(), max_size=2)
)
_headers = st.dictionaries(
    st.sampled_from(["deadline", "traceparent", "tracestate", "x-delivery-count", "status"])
    | st.text(st.characters(codec="ascii"), min_size=1, max_size=20).filter(
        lambda name: name not in ROUTING
    ),
    _header,
    max_size=4,
)
_properties = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["translate", "translate.batch", "validate", "cancel", "result"])
        | _short,
        "message_id": _short,
        "content_type": st.sampled_from(["application/json", "application/jose"]) | _short,
        "content_encoding": _short,
        "app_id": _short,
        "priority": st.integers(0, 255),
        "expiration": st.integers(0, 10),
        "timestamp": st.integers(0, 2**33),
        "headers": _headers,
        "delivery_mode": st.sampled_from([1, 2]),
    },
)
_message = st.tuples(
    _body, _properties, st.sampled_from([REQUESTS, BATCHES, CONTROL]), st.booleans(), st.booleans()
)


def _generated() -> list[tuple[bytes, dict[str, Any], str, bool, bool]]:
    """The messages, the same in every run."""
    made: list[tuple[bytes, dict[str, Any], str, bool, bool]] = []

    @seed(4)
    @settings(
        max_examples=MESSAGES, database=None, deadline=None, suppress_health_check=list(HealthCheck)
    )
    @given(_message)
    def collect(message: tuple[bytes, dict[str, Any], str, bool, bool]) -> None:
        made.append(message)

    collect()
    return (made * (MESSAGES // len(made) + 1))[:MESSAGES]


async def test_garbage(amqp: Door, alice: Caller) -> None:
    """Each message ends as an error answer or as a dead letter with a reason, and the next
    request is served."""
    messages = await asyncio.to_thread(_generated)
    ended: set[str] = set()
    statuses: list[int] = []

    async def answered(message: DeliveredMessage) -> None:
        headers = message.header.properties.headers or {}
        statuses.append(headers["status"])
        ended.add(message.header.properties.correlation_id or "")

    async def buried(message: DeliveredMessage) -> None:
        headers = message.header.properties.headers or {}
        assert headers["x-remint-reason"]
        ended.add(message.header.properties.correlation_id or "")

    raw = await alice.channel.get_underlay_channel()
    answers = await raw.basic_consume(alice.replies.name, answered, no_ack=True)
    letters = await raw.basic_consume(DEAD, buried, no_ack=True)
    free = asyncio.Semaphore(IN_FLIGHT)

    async def publish(number: int) -> None:
        body, properties, queue, named, answerable = messages[number]
        # A request that is well-formed and refused is no dead letter: it needs a way back.
        reply_to = alice.replies.name if answerable else "remint.reply.alice.b.c"
        async with free:
            await alice.channel.default_exchange.publish(
                aio_pika.Message(
                    body,
                    correlation_id=f"g-{number}",
                    user_id="alice" if named else None,
                    reply_to=reply_to,
                    **properties,
                ),
                queue,
            )

    await asyncio.gather(*(publish(number) for number in range(MESSAGES)))
    expected = {f"g-{number}" for number in range(MESSAGES)}
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_SECONDS):
            while ended != expected:  # noqa: ASYNC110  # nobody tells us
                await asyncio.sleep(0.05)
    missing = sorted(expected - ended)
    assert not missing, [messages[int(name[2:])] for name in missing[:3]]
    assert min(statuses) >= 400
    assert max(statuses) < 500, "a garbage message is a client's mistake"
    await raw.basic_cancel(answers.consumer_tag or "")
    await raw.basic_cancel(letters.consumer_tag or "")
    await alice.send(translation(), correlation_id="afterwards")
    reply = await alice.reply()
    while reply.message.correlation_id != "afterwards":  # an answer may come a second time
        reply = await alice.reply()
    assert reply.status == 200
    for queue in (BATCHES, CONTROL):
        assert await alice.waiting(queue) == 0
    await all_acknowledged(amqp, alice)

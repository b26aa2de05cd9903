"""Three queues of requests, none of which waits for another."""

from __future__ import annotations

import pytest

from adapters.amqp.topology import BATCHES, CONTROL, REQUESTS
from broker.ports import AuditRecord
from tests.amqp.caller import Caller, translation
from tests.amqp.conftest import Opened
from tests.amqp.test_link import Audit
from tests.support.door import ELEMENT, ID_TOKEN, Door, user_input

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("rabbitmq")]

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize("queue", [REQUESTS, BATCHES, CONTROL])
async def test_any_type_from_any_queue(amqp: Door, alice: Caller, queue: str) -> None:
    """A message in the wrong queue is served all the same, unless it is a batch."""
    reply = await alice.ask(translation(), queue=queue)
    assert reply.status == 200
    state = {"token_type": "OPENIDCONNECT", "oidc_id_token": reply.body["issued_token"]}
    body = {"instance": "username-transformer", "validated_token_state": state}
    valid = await alice.ask(body, type="validate", queue=queue)
    assert valid.body == {"token_valid": True}


@pytest.mark.parametrize("queue", [REQUESTS, CONTROL])
async def test_batches_in_other_queues(amqp: Door, alice: Caller, queue: str) -> None:
    """A batch in the queue of translations is served; one that would hold up cancels is refused
    with the name of the right queue."""
    part = {"input_token_state": user_input(), "output_token_state": ID_TOKEN}
    body = {"instance": ELEMENT, "requests": [part]}
    reply = await alice.ask(body, type="translate.batch", queue=queue)
    if queue == REQUESTS:
        assert (reply.status, len(reply.body["results"])) == (200, 1)
        return
    assert (reply.status, reply.headers["retry"]) == (400, "never")
    assert reply.body["message"] == f"send a translate.batch to the queue {BATCHES}"
    assert await amqp.tokens() == []


async def test_control_does_not_wait(opened: Opened, alice: Caller) -> None:
    """While translations fill their prefetch and more wait behind them, a validate is answered."""
    audit = Stuck()
    async with opened(audit=audit, amqp={"prefetch": 2}) as door:
        for number in range(6):
            await alice.send(translation(), message_id=f"t-{number}")
        await alice.until_waiting(REQUESTS, 4)
        state = {"token_type": "OPENIDCONNECT", "oidc_id_token": "a.b.c"}
        body = {"instance": "username-transformer", "validated_token_state": state}
        reply = await alice.ask(body, type="validate", message_id="v-1", queue=CONTROL)
        assert reply.message.correlation_id == "v-1"
        assert await alice.waiting(REQUESTS) == 4
        audit.let_go.set()
        assert {(await alice.reply()).status for _ in range(6)} == {200}
        assert len(await door.tokens()) == 6


async def test_trace_context_comes_back(amqp: Door, alice: Caller) -> None:
    """An answer carries the trace context of its request, both headers of it."""
    headers = {"traceparent": TRACEPARENT, "tracestate": "vendor=1"}
    reply = await alice.ask(translation(), headers=headers)
    assert {name: reply.headers[name] for name in headers} == headers


class Stuck(Audit):
    """Lets no translation go until it is told."""

    async def record(self, record: AuditRecord) -> None:
        if record.attempt.operation == "translate":
            await self.let_go.wait()
        self.records.append(record)

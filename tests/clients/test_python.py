"""The Python client: one answer and one token for each request, whatever breaks meanwhile."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

import pytest
from remint_client import (
    Closed,
    IssuedToken,
    NotAllowed,
    Refused,
    RemintClient,
    TimedOut,
    UnexpectedAnswer,
    sync,
)

from broker.errors import Unavailable
from broker.ports import AuditRecord
from broker.testing import OneByOne
from tests.amqp.conftest import Opened
from tests.clients.noted import PATIENCE_SECONDS
from tests.support.door import ASSERTION, ELEMENT, ID_TOKEN, Door, session_input, user_input
from tests.support.planted import Planted
from tests.support.rabbitmq import RabbitMQ

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("rabbitmq")]

# RabbitMQ 3.10 writes down now and then which quorum queues it has; a queue that was made again
# under its name in the moment before a kill does not start afterwards.
REGISTER_SECONDS = 2.0
MANY = 200


class Audit(OneByOne):
    """An audit sink that runs ``before`` ahead of each record, which may raise."""

    def __init__(self, before: Callable[[], None] = lambda: None) -> None:
        self.records: list[AuditRecord] = []
        self.before = before

    async def record(self, record: AuditRecord) -> None:
        self.before()
        self.records.append(record)


async def test_translate(amqp: Door, client: RemintClient) -> None:
    """A translation brings a token, its id and its end, as the store has them."""
    found = await client.translate(ELEMENT, user_input(), ID_TOKEN)
    [record] = await amqp.tokens()
    assert (found.token_id, found.expires_at) == (record.token_id, record.expires_at)


async def test_the_same_id_brings_the_same_token(amqp: Door, client: RemintClient) -> None:
    """Asked again with the id that the first answer names, the same token comes."""
    first = await client.translate(ELEMENT, user_input(), ASSERTION)
    again = await client.translate(ELEMENT, user_input(), ASSERTION, request_id=first.request_id)
    assert again == first
    assert len(await amqp.tokens()) == 1


async def test_many_tasks_share_a_client(amqp: Door, client: RemintClient) -> None:
    """A hundred tasks that ask at once each get a token of their own."""
    session = session_input(await amqp.login())
    found = await asyncio.gather(
        *(client.translate(ELEMENT, session, ID_TOKEN) for _ in range(100))
    )
    assert len({token.token_id for token in found}) == 100


async def test_validate_and_cancel(amqp: Door, client: RemintClient) -> None:
    """A token is valid until it is cancelled."""
    found = await client.translate(ELEMENT, user_input(), ID_TOKEN)
    state = {"token_type": "OPENIDCONNECT", "oidc_id_token": found.token}
    assert await client.validate(ELEMENT, state)
    await client.cancel(ELEMENT, state)
    assert not await client.validate(ELEMENT, state)


async def test_result(amqp: Door, client: RemintClient) -> None:
    """The id of an earlier request brings its token, without the credentials it took."""
    found = await client.translate(ELEMENT, user_input(), ID_TOKEN)
    assert await client.result(found.request_id) == found


async def test_result_of_a_batch(amqp: Door, client: RemintClient) -> None:
    """The answer to a batch comes as one, and not as a token; nor does a token as a batch's."""
    parts = [(user_input(), ID_TOKEN), (user_input(password="wrong"), ID_TOKEN)]
    [issued, refused] = await client.translate_batch(ELEMENT, parts, request_id="b-1")
    assert isinstance(refused, Refused)
    [token, no] = await client.batch_result("b-1")
    assert token == issued
    assert isinstance(no, Refused)
    assert no.status == refused.status
    with pytest.raises(UnexpectedAnswer, match="batch_result"):
        await client.result("b-1")
    single = await client.translate(ELEMENT, user_input(), ID_TOKEN)
    with pytest.raises(UnexpectedAnswer, match="result"):
        await client.batch_result(single.request_id)


async def test_result_of_nothing(amqp: Door, client: RemintClient) -> None:
    """An id that was never used raises Refused with a 404, which may change later."""
    with pytest.raises(Refused) as refused:
        await client.result("never-used")
    assert (refused.value.status, refused.value.retry) == (404, "later")


async def test_batch(amqp: Door, client: RemintClient) -> None:
    """A batch brings a token or a refusal for each part, in order, and the same ones again."""
    wrong = user_input(password="wrong")
    parts = [(user_input(), ID_TOKEN), (wrong, ID_TOKEN), (user_input(), ASSERTION)]
    found = await client.translate_batch(ELEMENT, parts, request_id="b-1")
    first, refused, last = found
    assert isinstance(first, IssuedToken)
    assert isinstance(last, IssuedToken)
    assert first.token.startswith("ey")
    assert ":Assertion" in last.token
    assert isinstance(refused, Refused)
    assert (refused.status, refused.retry) == (401, "never")
    again = await client.translate_batch(ELEMENT, parts, request_id="b-1")
    assert again[0] == first
    assert again[2] == last
    assert len(await amqp.tokens()) == 2


async def test_a_refusal_is_typed(amqp: Door, client: RemintClient) -> None:
    """A wrong password raises Refused, with the status and the sentence of the broker."""
    with pytest.raises(Refused) as refused:
        await client.translate(ELEMENT, user_input(password="wrong"), ID_TOKEN)
    assert (refused.value.status, refused.value.retry) == (401, "never")
    assert refused.value.message


async def test_another_request_under_the_same_id(amqp: Door, client: RemintClient) -> None:
    """An id that was used for another request raises Refused with a 409."""
    first = await client.translate(ELEMENT, user_input(), ID_TOKEN)
    with pytest.raises(Refused) as refused:
        await client.translate(ELEMENT, user_input(), ASSERTION, request_id=first.request_id)
    assert refused.value.status == 409


async def test_a_deadline_that_has_passed(amqp: Door, client: RemintClient) -> None:
    """After the deadline nothing is signed, and the refusal says to ask later."""
    with pytest.raises(Refused) as refused:
        await client.translate(ELEMENT, user_input(), ID_TOKEN, deadline=time.time() - 1)
    assert (refused.value.status, refused.value.retry) == (408, "later")
    assert await amqp.tokens() == []


async def test_the_trace_comes_back(amqp: Door, client: RemintClient) -> None:
    """A trace context that goes with a request comes back with its token."""
    trace = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
    found = await client.translate(ELEMENT, user_input(), ID_TOKEN, trace=trace)
    assert found.trace == trace


async def test_no_broker(rabbitmq: RabbitMQ) -> None:
    """With no queue to send to, TimedOut names the id to ask again with."""
    async with RemintClient(rabbitmq.url_for("alice")) as client:
        with pytest.raises(TimedOut) as ended:
            await client.translate(ELEMENT, {}, {}, request_id="m-1", timeout=0.5)
    assert ended.value.request_id == "m-1"
    assert "m-1" in str(ended.value)


async def test_no_message_server() -> None:
    """Where no message server is reached, TimedOut says that nothing was asked."""
    async with RemintClient("amqp://alice:secret@127.0.0.1:9/") as client:
        with pytest.raises(TimedOut) as ended:
            await client.translate(ELEMENT, {}, {}, timeout=0.5)
    assert not ended.value.sent
    assert "secret" not in str(ended.value)


async def test_a_wrong_login(rabbitmq: RabbitMQ) -> None:
    """A login that RabbitMQ refuses raises NotAllowed at once, without the password."""
    url = rabbitmq.url_for("alice").replace("alice-password", "pl4nted")
    async with RemintClient(url) as client:
        with pytest.raises(NotAllowed) as refused:
            await client.translate(ELEMENT, {}, {}, timeout=PATIENCE_SECONDS)
    assert "pl4nted" not in str(refused.value)


async def test_a_user_who_may_not_publish(rabbitmq: RabbitMQ) -> None:
    """A user without permission to publish hears NotAllowed at once, with RabbitMQ's word."""
    allow = ("set_permissions", "mallory", ".*")
    await asyncio.to_thread(rabbitmq.control, *allow, "^$", ".*")
    try:
        async with RemintClient(rabbitmq.url_for("mallory")) as client:
            with pytest.raises(NotAllowed, match="access"):
                await client.translate(ELEMENT, {}, {}, timeout=PATIENCE_SECONDS)
    finally:
        await asyncio.to_thread(rabbitmq.control, *allow, ".*", ".*")


async def test_a_client_that_is_closed(rabbitmq: RabbitMQ) -> None:
    """A client that was closed, or never opened, says so."""
    client = RemintClient(rabbitmq.url_for("alice"))
    with pytest.raises(Closed):
        await client.translate(ELEMENT, {}, {})
    async with client:
        pass
    with pytest.raises(Closed):
        await client.translate(ELEMENT, {}, {})


async def test_closed_while_somebody_waits(rabbitmq: RabbitMQ) -> None:
    """Closing ends what is still waited for."""
    client = RemintClient(rabbitmq.url_for("alice"))
    async with client:
        waiting = asyncio.create_task(client.translate(ELEMENT, {}, {}))
        await asyncio.sleep(0.3)
    with pytest.raises(Closed):
        await waiting


async def test_a_broker_that_comes_later(
    opened: Opened, rabbitmq: RabbitMQ, client: RemintClient
) -> None:
    """A request is sent until there is a queue for it, and answered then."""
    asked = asyncio.create_task(client.translate(ELEMENT, user_input(), ID_TOKEN))
    await asyncio.sleep(0.5)
    async with opened() as door:
        found = await asked
        [record] = await door.tokens()
        assert found.token_id == record.token_id


async def test_a_failure_that_passes(opened: Opened, client: RemintClient) -> None:
    """A 503 is no answer: the same id is asked again until there is one."""
    failing = [Unavailable("the audit is down")] * 6

    def fail() -> None:
        if failing:
            raise failing.pop()

    async with opened(audit=Audit(fail)) as door:
        found = await client.translate(ELEMENT, user_input(), ID_TOKEN)
        [record] = await door.tokens()
        assert found.token_id == record.token_id
    assert failing == []


async def test_connections_closed(amqp: Door, rabbitmq: RabbitMQ, client: RemintClient) -> None:
    """After its connection was closed a client goes on with a new one."""
    await client.translate(ELEMENT, user_input(), ID_TOKEN)
    await asyncio.to_thread(rabbitmq.control, "close_all_connections", "test")
    await client.translate(ELEMENT, user_input(), ID_TOKEN)
    assert len(await amqp.tokens()) == 2


async def test_sync(amqp: Door, rabbitmq: RabbitMQ, planted: Planted) -> None:
    """A program without an event loop has the same calls, from any of its threads."""
    found: list[IssuedToken] = []

    def program() -> None:
        with sync.RemintClient(rabbitmq.url_for("alice"), timeout=PATIENCE_SECONDS) as client:

            def ask() -> None:
                found.append(client.translate(ELEMENT, user_input(), ID_TOKEN))

            threads = [threading.Thread(target=ask) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            with pytest.raises(Refused):
                client.translate(ELEMENT, user_input(password="wrong"), ID_TOKEN)
        with pytest.raises(Closed):
            client.translate(ELEMENT, user_input(), ID_TOKEN)

    await asyncio.to_thread(program)
    for token in found:
        planted.note(token.token)
    assert {token.token_id for token in found} == {r.token_id for r in await amqp.tokens()}
    assert len(found) == 4


@pytest.mark.slow
async def test_server_killed_in_the_middle(
    amqp: Door, rabbitmq: RabbitMQ, client: RemintClient
) -> None:
    """RabbitMQ is killed and started again among 200 translations: each gets exactly one token."""
    session = session_input(await amqp.login())
    await asyncio.sleep(REGISTER_SECONDS)
    first_answers = asyncio.Event()
    answered = 0

    async def ask(number: int) -> IssuedToken:
        nonlocal answered
        found = await client.translate(ELEMENT, session, ID_TOKEN, request_id=f"m-{number}")
        answered += 1
        if answered >= MANY // 10:
            first_answers.set()
        return found

    asked = [asyncio.create_task(ask(number)) for number in range(MANY)]
    await first_answers.wait()
    rabbitmq.kill()
    assert answered < MANY
    rabbitmq.launch()
    await asyncio.to_thread(rabbitmq.wait_ready)
    found = await asyncio.gather(*asked)
    tokens = [token.token_id for token in found]
    assert len(set(tokens)) == MANY
    assert sorted(map(str, tokens)) == sorted(r.token_id for r in await amqp.tokens())

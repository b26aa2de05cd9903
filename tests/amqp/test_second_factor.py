"""``kill -9`` of a broker that has spent a code: the message comes again, and it is no replay."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.authentication.factors.owners import Owner
from adapters.authentication.factors.totp import Authenticators, Manner
from broker.model import Secret
from tests.amqp.caller import Caller, translation
from tests.support import door as doors
from tests.support.authentication import authentication_file, targeted
from tests.support.crashing import SPENT
from tests.support.door import ID_TOKEN, Door, an_instance, user_input
from tests.support.planted import Planted
from tests.support.process import BrokerProcess, ended
from tests.support.rabbitmq import RabbitMQ
from tests.support.totp import App

pytestmark = [
    pytest.mark.server,
    pytest.mark.slow,
    pytest.mark.xdist_group("rabbitmq"),
]

SLOW = Manner(period=120)
"""Its codes outlive what two brokers take to start on a slow machine."""

CHAIN = """
[[module]]
name = "codes"
kind = "totp"
window = 2

[[chain]]
name = "two"
modules = [{ module = "DataStore", flag = "required" }, { module = "codes", flag = "required" }]
"""


@pytest.fixture
async def store(tmp_path: Path, planted: Planted) -> AsyncIterator[Door]:
    """A broker that has no queue, and makes what the others find in the store."""
    settings = authentication_file(tmp_path, CHAIN)
    async with doors.opened(tmp_path / "state", planted, **settings) as opened:
        await opened.publish(targeted(an_instance(), USERNAME="service|two"))
        yield opened


async def enrolled(door: Door) -> App:
    """An authenticator that was confirmed by the code of the step before."""
    authenticators, owner = Authenticators(door.broker.stores.factors), Owner("/", "demo")
    made = await authenticators.enrol(owner, SLOW, time.time())
    app = App(made.uri("demo", "test").reveal())
    before = Secret(app.code(time.time() - app.period))
    await authenticators.confirm(owner, before, time.time())
    return app


async def test_redelivered_request_is_no_replay(
    rabbitmq: RabbitMQ,
    tmp_path: Path,
    alice: Caller,
    planted: Planted,
    store: Door,
) -> None:
    """The redelivered request gets its token though its code is spent; another request with that
    code gets none."""
    app = await enrolled(store)
    settings = {"AMQP__URL": rabbitmq.url, "AMQP__REQUIRE_ENCRYPTED_CREDENTIALS": "false"}
    killed = BrokerProcess(tmp_path, SPENT, module="tests.support.crashing", settings=settings)
    with ended(killed):
        killed.launch()
        await asyncio.to_thread(killed.wait_ready)
        body = translation({**user_input(), "otp": app.code(time.time())}, ID_TOKEN)
        await alice.send(body, message_id="m-1")
        assert await asyncio.to_thread(killed.wait) == -signal.SIGKILL
    assert await store.tokens() == []
    broker = BrokerProcess(tmp_path, settings=settings)
    with ended(broker):
        broker.launch()
        await asyncio.to_thread(broker.wait_ready)
        reply = await alice.reply()
        (committed,) = await store.tokens()
        assert reply.headers["token-id"] == committed.token_id
        replayed = await alice.ask(body, message_id="m-2")
        assert replayed.status == 401
        assert await asyncio.to_thread(broker.terminate) == 0
    assert await store.tokens() == [committed]

"""One RabbitMQ for the run; fresh queues, a broker and two requesters for each test."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import aio_pika
import pytest

from adapters import bootstrap
from adapters.amqp.link import Link
from adapters.amqp.topology import QUEUES
from broker.ports import AuditSink
from tests.amqp.caller import POLL_SECONDS, SILENCE_SECONDS, Caller, calling
from tests.support import door as doors
from tests.support.door import Door
from tests.support.planted import Planted
from tests.support.rabbitmq import RabbitMQ, running_rabbitmq

READY_SECONDS = 30.0

READABLE = {"require_encrypted_credentials": False}
"""Most tests send what they have to say in the clear."""

Opened = Callable[..., contextlib.AbstractAsyncContextManager[Door]]


@pytest.fixture(scope="session")
def rabbitmq_server() -> Iterator[RabbitMQ]:
    with running_rabbitmq() as server:
        yield server


@pytest.fixture
async def rabbitmq(rabbitmq_server: RabbitMQ) -> RabbitMQ:
    """The server, without a queue of ours."""
    async with await aio_pika.connect(rabbitmq_server.url) as connection:
        channel = await connection.channel()
        for name in QUEUES:
            await channel.queue_delete(name)
    return rabbitmq_server


@pytest.fixture
def opened(rabbitmq: RabbitMQ, tmp_path: Path, planted: Planted, said: list[str]) -> Opened:
    """Opens a broker that consumes; what it says is searched for secrets afterwards."""

    @contextlib.asynccontextmanager
    async def open_door(
        *, wait: bool = True, audit: AuditSink | None = None, **overrides: Any
    ) -> AsyncIterator[Door]:
        amqp = {"url": rabbitmq.url, **READABLE, **overrides.pop("amqp", {})}
        state = tmp_path / "state"
        build = functools.partial(bootstrap.build, audit=audit)
        async with contextlib.AsyncExitStack() as stack:
            stack.enter_context(patch.object(bootstrap, "build", build))
            door = await stack.enter_async_context(
                doors.opened(state, planted, amqp=amqp, **overrides)
            )
            if wait:
                await until_ready(door)
            yield door
        if (state / "audit.log").exists():
            said.append((state / "audit.log").read_text())

    return open_door


@pytest.fixture
async def amqp(opened: Opened) -> AsyncIterator[Door]:
    async with opened() as door:
        yield door


@pytest.fixture
async def alice(rabbitmq: RabbitMQ, planted: Planted) -> AsyncIterator[Caller]:
    async with calling(rabbitmq, planted, "alice") as caller:
        yield caller


@pytest.fixture
async def mallory(rabbitmq: RabbitMQ, planted: Planted) -> AsyncIterator[Caller]:
    async with calling(rabbitmq, planted, "mallory") as caller:
        yield caller


@pytest.fixture
def links(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows by one whenever a link is opened."""
    opened: list[str] = []
    original = Link.open

    async def counted(*given: Any) -> Link:
        opened.append("link")
        return await original(*given)

    monkeypatch.setattr(Link, "open", counted)
    return opened


async def until_ready(door: Door, *, ready: bool = True) -> None:
    """Waits until the broker consumes, or no longer does."""
    transport = door.broker.amqp
    assert transport is not None
    async with asyncio.timeout(READY_SECONDS):
        while transport.ready is not ready:  # noqa: ASYNC110  # a property has no event
            await asyncio.sleep(POLL_SECONDS)


async def until_consuming(door: Door, *queues: str) -> None:
    """Waits until the broker takes deliveries from these queues and no other."""
    transport = door.broker.amqp
    assert transport is not None
    async with asyncio.timeout(READY_SECONDS):
        while transport.consumed != set(queues):  # noqa: ASYNC110  # a property has no event
            await asyncio.sleep(POLL_SECONDS)


async def all_acknowledged(door: Door, caller: Caller) -> None:
    """Stops consuming, upon which whatever was not acknowledged would be back in the queue."""
    transport = door.broker.amqp
    assert transport is not None
    await transport.drain(5)
    await asyncio.sleep(SILENCE_SECONDS)
    assert await caller.waiting() == 0

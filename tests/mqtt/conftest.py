"""One Mosquitto for the run; an empty one, a broker and two requesters for each test."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from adapters import bootstrap
from broker.ports import AuditSink
from tests.mqtt.caller import DEAD, POLL_SECONDS, Caller, calling
from tests.support import door as doors
from tests.support.door import Door
from tests.support.mosquitto import WATCHER, Mosquitto, running_mosquitto
from tests.support.planted import Planted

READY_SECONDS = 60.0
OPEN = {"require_encrypted_credentials": False}

Opened = Callable[..., contextlib.AbstractAsyncContextManager[Door]]


@pytest.fixture(scope="session")
def mosquitto_server() -> Iterator[Mosquitto]:
    with running_mosquitto() as server:
        yield server


@pytest.fixture
def mosquitto(mosquitto_server: Mosquitto) -> Mosquitto:
    """The server, without a session or message."""
    mosquitto_server.forget()
    return mosquitto_server


@pytest.fixture
def opened(mosquitto: Mosquitto, tmp_path: Path, planted: Planted, said: list[str]) -> Opened:
    """Opens a broker that consumes; what it says is searched for secrets afterwards."""

    @contextlib.asynccontextmanager
    async def open_door(
        *, wait: bool = True, audit: AuditSink | None = None, **overrides: Any
    ) -> AsyncIterator[Door]:
        mqtt = {"url": mosquitto.url, **OPEN, **overrides.pop("mqtt", {})}
        state = tmp_path / "state"
        build = functools.partial(bootstrap.build, audit=audit)
        async with contextlib.AsyncExitStack() as stack:
            stack.enter_context(patch.object(bootstrap, "build", build))
            door = await stack.enter_async_context(
                doors.opened(state, planted, mqtt=mqtt, **overrides)
            )
            if wait:
                await until_ready(door)
            yield door
        if (state / "audit.log").exists():
            said.append((state / "audit.log").read_text())

    return open_door


@pytest.fixture
async def mqtt(opened: Opened) -> AsyncIterator[Door]:
    async with opened() as door:
        yield door


@pytest.fixture
async def alice(mosquitto: Mosquitto, planted: Planted) -> AsyncIterator[Caller]:
    async with calling(mosquitto, planted, "alice") as caller:
        yield caller


@pytest.fixture
async def mallory(mosquitto: Mosquitto, planted: Planted) -> AsyncIterator[Caller]:
    async with calling(mosquitto, planted, "mallory") as caller:
        yield caller


@pytest.fixture
async def undertaker(mosquitto: Mosquitto, planted: Planted) -> AsyncIterator[Caller]:
    """Reads the dead letters."""
    async with calling(mosquitto, planted, WATCHER, topics=[DEAD]) as caller:
        yield caller


async def until_ready(door: Door, *, ready: bool = True) -> None:
    """Waits until the broker consumes, or no longer does."""
    transport = door.broker.mqtt
    assert transport is not None
    async with asyncio.timeout(READY_SECONDS):
        while transport.ready is not ready:  # noqa: ASYNC110  # a property has no event
            await asyncio.sleep(POLL_SECONDS)

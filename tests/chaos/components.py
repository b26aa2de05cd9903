"""The processes that a nemesis strikes, each with one face, and the one who starts them again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import socket
from typing import Protocol

from tests.chaos.history import History
from tests.support import mosquitto
from tests.support.process import BrokerProcess, alive
from tests.support.rabbitmq import RabbitMQ
from tests.support.redis_server import RedisServer

LOOK_SECONDS = 0.02
MAX_PAUSE_SECONDS = 0.3
UP_SECONDS = 120.0
PROBE_SECONDS = 1.0


class Component(Protocol):
    """A process, or a server of several."""

    name: str

    def launch(self) -> None:
        """Start it and do not wait. In the main thread: a thread's end is a parent's death."""

    def dead(self) -> int | None:
        """How it ended: an exit code, negative for a signal; None while it runs."""

    def port(self) -> int: ...

    def send(self, number: signal.Signals) -> None: ...


class Broker:
    """One ``remint serve``."""

    def __init__(self, name: str, process: BrokerProcess) -> None:
        self.name = name
        self.process = process

    def launch(self) -> None:
        self.process.launch()

    def dead(self) -> int | None:
        return self.process.wait(0) if self.process.ended else None

    def port(self) -> int:
        return self.process.port

    def send(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)


class Redis:
    name = "redis"

    def __init__(self, server: RedisServer) -> None:
        self.server = server

    def launch(self) -> None:
        self.server.launch()

    def dead(self) -> int | None:
        return self.server.ended()

    def port(self) -> int:
        return self.server.port

    def send(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.server.pid, number)


class Rabbit:
    """A TERM goes to the virtual machine itself, which then ends in order."""

    name = "rabbitmq"

    def __init__(self, server: RabbitMQ) -> None:
        self.server = server

    def launch(self) -> None:
        self.server.launch()

    def dead(self) -> int | None:
        return self.server.ended()

    def port(self) -> int:
        return self.server.port

    def send(self, number: signal.Signals) -> None:
        if number == signal.SIGTERM:
            self.server.terminate()
        else:
            self.server.signal(number)


class Mosquitto:
    name = "mosquitto"

    def __init__(self, server: mosquitto.Mosquitto) -> None:
        self.server = server

    def launch(self) -> None:
        """It listens within a tenth of a second, so it is waited for."""
        self.server.kill()  # reaps the dead process
        self.server.start()

    def dead(self) -> int | None:
        return None if alive(self.server.pid) else 0

    def port(self) -> int:
        return self.server.port

    def send(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.server.pid, number)


class Keeper:
    """Starts a component again whenever it has ended, as a service manager would."""

    def __init__(self, component: Component, history: History, chance: random.Random) -> None:
        self.component = component
        self.ends: list[int] = []
        """Exit codes, in order."""
        self._struck = 0
        self._history = history
        self._chance = chance

    def strike(self, number: signal.Signals) -> None:
        """A signal that ends it."""
        self._struck += 1
        self.component.send(number)

    async def keep(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            code = self.component.dead()
            if code is None:
                continue
            self.ends.append(code)
            self._history.note("ended", component=self.component.name, code=code)
            await asyncio.sleep(self._chance.uniform(0, MAX_PAUSE_SECONDS))
            self.component.launch()

    async def up(self) -> None:
        """Returns once it takes connections again; raises TimeoutError if it never does."""
        async with asyncio.timeout(UP_SECONDS):
            while not await self._is_up():  # noqa: ASYNC110  # nobody tells us
                await asyncio.sleep(LOOK_SECONDS)

    async def _is_up(self) -> bool:
        if len(self.ends) < self._struck or self.component.dead() is not None:
            return False
        return await _accepts(self.component.port())


async def _accepts(port: int) -> bool:
    loop = asyncio.get_running_loop()
    with socket.socket() as probe:
        probe.setblocking(False)
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                await loop.sock_connect(probe, ("127.0.0.1", port))
        except (OSError, TimeoutError):
            return False
    return True

"""A broker that was built: its chores, its health, and its end."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import structlog

from adapters import allocator
from adapters.amqp.transport import AmqpTransport
from adapters.components import Components
from adapters.events.announcer import Announcer
from adapters.keys.ring import TEND_SECONDS
from adapters.messages.waiting import ended
from adapters.mqtt.transport import MqttTransport
from adapters.stores import Stores
from adapters.telemetry.audit import AuditFile
from broker.ports import AuditSink

WATCH_SECONDS = 1.0

GIVE_BACK_SECONDS = 10.0
"""Between two times of giving memory back: a millisecond each, and afterwards the next login's hash
needs fresh pages."""

FLUSH_SECONDS = 3.0
"""How long the end of a broker waits for its last events; the outbox keeps what is left."""

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Broker:
    """A broker that was built; ``start`` sets its transports and chores going."""

    components: Components
    url: str
    stores: Stores
    audit: AuditSink
    amqp: AmqpTransport | None = None
    mqtt: MqttTransport | None = None
    announcer: Announcer | None = None
    warnings: list[str] = field(default_factory=list)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _draining: bool = False

    def start(self) -> None:
        self._tasks.append(asyncio.create_task(self._reap_for_ever()))
        self._tasks.append(asyncio.create_task(_give_back_for_ever()))
        self._tasks.append(asyncio.create_task(self._watch_for_ever()))
        self._tasks.append(asyncio.create_task(self._tend_keys_for_ever()))
        self._tasks.append(asyncio.create_task(self.stores.condition.replaced()))
        if self.announcer is not None:
            self._tasks.append(asyncio.create_task(self.announcer.run()))
        if self.amqp is not None:
            self._tasks.append(asyncio.create_task(self.amqp.run()))
        if self.mqtt is not None:
            self._tasks.append(asyncio.create_task(self.mqtt.run()))

    def not_ready(self) -> list[str]:
        """Why requests should go elsewhere; empty when this broker takes them."""
        reasons = []
        if not self._tasks:
            reasons.append("starting")
        if self._draining:
            reasons.append("draining")
        if self.amqp is not None and (problem := self.amqp.trouble) is not None:
            reasons.append(f"amqp: {problem}")
        if self.mqtt is not None and (problem := self.mqtt.trouble):
            reasons.append(f"mqtt: {problem}")
        if trouble := self.stores.condition.trouble:
            reasons.append(f"store: {trouble}")
        return reasons

    def store_report(self) -> dict[str, Any]:
        """What an acknowledged write is worth; no addresses, no secrets."""
        found = self.stores.condition.durability
        return {
            "durable": found.durable,
            "settings": dict(found.settings),
            "warnings": [*found.sentences, *self.warnings],
        }

    async def unsent_events(self) -> int:
        """How many wait in the store. Raises Unavailable."""
        return await self.stores.outbox.size()

    async def failed(self) -> None:
        """Waits for a task that must not end; raises what ended it, such as StoreReplaced."""
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        if not self._draining:
            for task in done:
                task.result()

    async def drain(self, seconds: float) -> None:
        """Take nothing new from the queues; finish what is in hand, within ``seconds``."""
        self._draining = True
        transports = [each for each in (self.amqp, self.mqtt) if each is not None]
        await asyncio.gather(*(transport.drain(seconds) for transport in transports))

    async def close(self) -> None:
        self._draining = True
        if self.announcer is not None:
            await self.announcer.drain(FLUSH_SECONDS)
        await ended(self._tasks)
        await self.components.issuers.close()
        await self.components.authorities.close()
        await self.components.authentication.close()
        self.components.passwords.close()
        await self.stores.close()
        if isinstance(self.audit, AuditFile):
            self.audit.close()

    async def _reap_for_ever(self) -> None:
        parts = self.components
        while True:
            await asyncio.sleep(parts.settings.store.reap_seconds)
            now = parts.clock.now()
            try:
                await parts.lifecycle.reap()
                await parts.sessions.reap()
                await self.stores.ledger.reap(now)
                await self.stores.replays.reap(now)
                await parts.throttling.reap()
                await self.stores.factors.reap(now)
            except Exception as error:
                _log.warning("could not remove what has expired", error=type(error).__name__)

    async def _watch_for_ever(self) -> None:
        """Keys that another broker changed, and an audit file that was moved away."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            try:
                await self.components.keys.refresh()
                await self.components.realms.refresh()
                await self.components.issuers.refresh()
                await self.components.authorities.refresh()
                await self.components.authentication.refresh()
                if isinstance(self.audit, AuditFile):
                    self.audit.follow()
            except Exception as error:
                _log.warning("could not look after the files", error=type(error).__name__)

    async def _tend_keys_for_ever(self) -> None:
        """Keys that have ended, and those that have signed for long enough."""
        parts = self.components
        while True:
            try:
                await parts.keys.tend(await parts.instances.key_needs())
            except Exception as error:
                _log.warning("could not look after the keys", error=type(error).__name__)
            await asyncio.sleep(TEND_SECONDS)


async def _give_back_for_ever() -> None:
    while True:
        await asyncio.sleep(GIVE_BACK_SECONDS)
        allocator.give_back()

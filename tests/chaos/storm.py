"""A run: servers, callers, nemesis, quiet, evidence, verdict."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
from collections import Counter, deque
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.chaos import evidence as facts
from tests.chaos.checker import unannounced, violations
from tests.chaos.components import Broker, Component, Keeper, Mosquitto, Rabbit, Redis
from tests.chaos.driver import Driver, Pace
from tests.chaos.evidence import Evidence
from tests.chaos.history import History
from tests.chaos.nemesis import Nemesis, Plan
from tests.chaos.over_amqp import AmqpCaller
from tests.chaos.over_http import HttpCaller
from tests.chaos.over_mqtt import MqttCaller
from tests.chaos.scenario import Book, Caller, Teller, stories
from tests.chaos.tally import tally
from tests.chaos.world import World, opened
from tests.support.process import BrokerProcess

LANES = 60
"""Requests in flight over each transport."""

USERS = ("alice", "mallory")
AGAIN_LANES = 32
READY_SECONDS = 120.0
SETTLED_SECONDS = 5.0
"""A quorum queue of RabbitMQ 3.10 that was declared within the second before a kill may never take
a message again (docs/reliability.md)."""


@dataclass(frozen=True)
class Verdict:
    """What was found. ``report`` is for people."""

    violations: list[str]
    report: str
    strikes: Counter[str]
    evidence: Evidence


async def storm(
    folder: Path, *, seed: int, requests: int, plan: Plan, brokers: int = 2, outbox: bool = True
) -> Verdict:
    """Everything in ``folder``; the same seed asks for the same and strikes the same.

    ``outbox`` waits until the outbox is empty, which takes minutes after a kill.
    """
    history = History(folder / "history.jsonl")
    history.note("run", seed=seed, requests=requests)
    try:
        with opened(folder, brokers) as world:
            return await _Run(world, history, seed).storm(requests, plan, outbox=outbox)
    finally:
        history.close()


class _Run:
    def __init__(self, world: World, history: History, seed: int) -> None:
        self._world = world
        self._history = history
        # Each part has a chance of its own, so that none depends on who runs first.
        self._seed = seed
        components: list[Component] = [
            Broker(f"broker-{n}", broker) for n, broker in enumerate(world.brokers, 1)
        ]
        if world.redis is None or world.rabbitmq is None or world.mosquitto is None:
            raise ValueError("a storm needs all servers")
        self._rabbitmq, self._mosquitto = world.rabbitmq, world.mosquitto
        components += [Redis(world.redis), Rabbit(world.rabbitmq), Mosquitto(world.mosquitto)]
        self._keepers = [Keeper(c, history, self._chance(c.name)) for c in components]
        self._book = Book()
        self._pace = Pace()

    async def storm(self, requests: int, plan: Plan, *, outbox: bool) -> Verdict:
        urls = [broker.url for broker in self._world.brokers]
        announces = await facts.bind_events(self._rabbitmq.url)
        http = HttpCaller(urls, self._history, self._chance("http"))
        amqp = [AmqpCaller(self._rabbitmq, user, self._history) for user in USERS]
        mqtt = [MqttCaller(self._mosquitto, user, self._history) for user in USERS]
        nemesis = Nemesis(self._keepers, self._pace, self._history, self._chance("nemesis"))
        await asyncio.sleep(SETTLED_SECONDS)
        async with _kept(*(keeper.keep() for keeper in self._keepers)):
            async with _kept(*(caller.run() for caller in (*amqp, *mqtt))):
                callers: dict[str, list[Caller]] = {
                    "http": [http],
                    "amqp": [*amqp],
                    "mqtt": [*mqtt],
                }
                await self._load(nemesis, callers, requests, plan)
                await self._restored()
                await self._asked_again(callers)
                queues = await facts.quiet(self._rabbitmq)
            found = await self._evidence(http, announces, queues)
            if outbox:
                found.outbox = await facts.outbox_left(self._world.store)
        broken = violations(found)
        return Verdict(broken, tally(found, nemesis.done, broken), nemesis.done, found)

    async def _load(
        self, nemesis: Nemesis, callers: dict[str, list[Caller]], requests: int, plan: Plan
    ) -> None:
        teller = Teller(self._world.session, self._history, self._book, self._chance("teller"))
        told = stories(requests, list(callers), self._chance("stories"))
        async with asyncio.TaskGroup() as group:
            group.create_task(Driver(teller, self._pace).run(told, callers, LANES))
            group.create_task(nemesis.run(plan.strikes(self._chance("plan")), requests))

    async def _restored(self) -> None:
        """Once more without Redis's memory; then everything is up and takes requests."""
        redis = next(k for k in self._keepers if k.component.name == "redis")
        await redis.up()
        redis.strike(signal.SIGKILL)
        for keeper in self._keepers:
            await keeper.up()
        for broker in self._world.brokers:
            await asyncio.to_thread(_wait_ready, broker)

    async def _asked_again(self, callers: dict[str, list[Caller]]) -> None:
        """Every request whose token is known, once more: the answer must be the one it had."""
        self._history.note("over")
        events = self._history.events()
        homes = {event["key"]: event["by"] for event in events if event["what"] == "asked"}
        by_name = {caller.name: caller for found in callers.values() for caller in found}
        left = deque(self._book.asks)

        async def lane() -> None:
            while left:
                key = left.popleft()
                await by_name[homes[key]].ask(self._book.asks[key])

        await asyncio.gather(*(lane() for _ in range(AGAIN_LANES)))

    async def _evidence(
        self, http: HttpCaller, announces: bool, queues: dict[str, int]
    ) -> Evidence:
        world = self._world
        url = self._rabbitmq.url
        valid = await self._validity(http)
        await http.close()
        before = world.baseline
        files = {b.url: (before[b.url], await facts.files(b, before[b.url])) for b in world.brokers}
        found = Evidence(
            valid=valid,
            history=list(self._history.events()),
            audit=facts.audit_lines([broker.state / "audit.log" for broker in world.brokers]),
            records=await facts.stored_tokens(world.store),
            dead=await facts.dead_letters(url),
            queues=queues,
            cancelled=set(self._book.cancelled),
            files=files,
            exits={keeper.component.name: keeper.ends for keeper in self._keepers},
        )
        if announces:
            found.events = await facts.all_events(url, partial(unannounced, found))
        return found

    async def _validity(self, http: HttpCaller) -> dict[str, list[bool]]:
        """What the brokers say of each token: all of them of those that were cancelled."""
        urls = [broker.url for broker in self._world.brokers]
        chance = self._chance("validity")
        found: dict[str, list[bool]] = {key: [] for key in self._book.tokens}
        left = deque(
            (key, url)
            for key in found
            for url in (urls if key in self._book.cancelled else [chance.choice(urls)])
        )

        async def lane() -> None:
            while left:
                key, url = left.popleft()
                found[key].append(await http.valid(self._book.tokens[key], url))

        await asyncio.gather(*(lane() for _ in range(AGAIN_LANES)))
        return found

    def _chance(self, name: str) -> random.Random:
        return random.Random(f"{self._seed} {name}")  # noqa: S311 - it keeps no secret


def _wait_ready(broker: BrokerProcess) -> None:
    broker.wait_for(lambda: broker.answers("/readyz"), READY_SECONDS)


@contextlib.asynccontextmanager
async def _kept(*work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Tasks for as long as the block lasts."""
    tasks = [asyncio.create_task(one) for one in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

"""``kill -9`` of a broker at every outbound system call that one translation makes."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.chaos import evidence as facts
from tests.chaos import tracing
from tests.chaos.checker import unannounced, violations
from tests.chaos.evidence import Evidence
from tests.chaos.history import History
from tests.chaos.over_amqp import AmqpCaller
from tests.chaos.over_http import HttpCaller
from tests.chaos.scenario import Answered, Ask, note_asked, translation
from tests.chaos.tracing import Point
from tests.chaos.world import World, opened
from tests.support.door import session_input

SETTLE_SECONDS = 0.2
"""From an answer to the end of what its request causes."""
LOOK_SECONDS = 0.005
PATIENCE_SECONDS = 60.0
HTTP, AMQP = "http", "amqp"


@dataclass(frozen=True)
class Sweep:
    """What came of it. ``calls`` were made by one translation, at ``killed`` of them it died."""

    store: str
    transport: str
    calls: int
    tried: int
    killed: int
    violations: list[str]

    @property
    def report(self) -> str:
        return (
            f"{self.store} {self.transport}: {self.calls} outbound calls, {self.tried} tried, "
            f"{self.killed} kills, {len(self.violations)} violations"
        )


async def sweep(
    folder: Path, *, store: str, transport: str, every: int = 1, first: int = 0
) -> Sweep:
    """Each point, or every n-th of them: kill there, start again, ask again, compare."""
    history = History(folder / "history.jsonl")
    try:
        with opened(folder, 1, store, amqp=transport == AMQP, mqtt=False) as world:
            async with _caller(world, transport, history) as caller:
                chosen = slice(first, None, every)
                return await _Sweep(world, history, caller, folder).run(store, transport, chosen)
    finally:
        history.close()


class _Sweep:
    def __init__(
        self, world: World, history: History, caller: HttpCaller | AmqpCaller, folder: Path
    ) -> None:
        self._world = world
        self._broker = world.brokers[0]
        self._history = history
        self._caller = caller
        self._given = session_input(world.session)
        self._log = folder / "calls"
        self._tokens: dict[str, str] = {}
        self._late: list[Ask] = []

    async def run(self, store: str, transport: str, which: slice) -> Sweep:
        rabbitmq = self._world.rabbitmq
        announces = rabbitmq is not None and await facts.bind_events(rabbitmq.url)
        await self._whole("warm-0")
        with tracing.recorded(self._broker.pid, self._log) as points:
            await self._whole("recorded")
            await asyncio.sleep(SETTLE_SECONDS)
        chosen = points[which]
        killed = 0
        for number, point in enumerate(chosen):
            killed += await self._killed_at(point, f"point-{number}")
            await self._whole(f"warm-{number + 1}")
        await self._asked_again()
        found = await self._evidence(announces)
        return Sweep(store, transport, len(points), len(chosen), killed, violations(found))

    async def _killed_at(self, point: Point, name: str) -> bool:
        """One request through the death of its broker; whether it died of the call itself."""
        ask = self._asked(name)
        with tracing.at(point, self._broker.pid, "KILL"):
            first = asyncio.create_task(self._first(ask))
            await self._dead_or(first)
            died = self._broker.ended
        self._history.note("strike", component="broker-1", how=f"{point}", died=died)
        self._broker.kill()
        self._broker.launch()
        await asyncio.to_thread(self._broker.wait_ready)
        if isinstance(self._caller, AmqpCaller):
            await first  # else what is delivered again would blur the next point
        self._late.append(ask)
        return died

    async def _asked_again(self) -> None:
        """All at once: over HTTP a retry waits for the lease of the broker that died."""
        await asyncio.gather(*(self._told(ask) for ask in self._late))

    async def _told(self, ask: Ask) -> None:
        answer = await self._caller.ask(ask)
        if answer is None or answer.token is None:
            raise RuntimeError(f"{ask.key} got no token")
        self._tokens[ask.key] = answer.token

    async def _first(self, ask: Ask) -> Answered | None:
        """Over HTTP one attempt; a message is in the queue until it is answered."""
        if isinstance(self._caller, HttpCaller):
            return await self._caller.once(ask)
        return await self._caller.ask(ask)

    async def _dead_or(self, first: asyncio.Task[Answered | None]) -> None:
        """Returns once the broker is dead, or has answered and had time for what comes after."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not self._broker.ended and not first.done():  # noqa: ASYNC110  # nobody tells us
                await asyncio.sleep(LOOK_SECONDS)
        for _ in range(int(SETTLE_SECONDS / LOOK_SECONDS)):
            if self._broker.ended:
                return
            await asyncio.sleep(LOOK_SECONDS)

    async def _whole(self, name: str) -> None:
        """A translation that nobody disturbs."""
        await self._told(self._asked(name))

    def _asked(self, name: str) -> Ask:
        ask = translation(name, self._given)
        note_asked(self._history, self._caller, ask)
        return ask

    async def _evidence(self, announces: bool) -> Evidence:
        world = self._world
        http = HttpCaller([self._broker.url], self._history, random.Random(0))  # noqa: S311
        valid = {
            name: [await http.valid(token, self._broker.url)]
            for name, token in self._tokens.items()
        }
        await http.close()
        rabbitmq = world.rabbitmq
        found = Evidence(
            history=list(self._history.events()),
            audit=facts.audit_lines([self._broker.state / "audit.log"]),
            records=await facts.stored_tokens(world.store),
            dead=await facts.dead_letters(rabbitmq.url) if rabbitmq else [],
            queues=await facts.quiet(rabbitmq) if rabbitmq else {},
            valid=valid,
        )
        if rabbitmq is not None and announces:
            found.events = await facts.all_events(rabbitmq.url, partial(unannounced, found))
        return found


@asynccontextmanager
async def _caller(
    world: World, transport: str, history: History
) -> AsyncIterator[HttpCaller | AmqpCaller]:
    if transport == HTTP:
        http = HttpCaller([world.brokers[0].url], history, random.Random(0))  # noqa: S311
        yield http
        await http.close()
        return
    if world.rabbitmq is None:
        raise ValueError("there is no message server")
    amqp = AmqpCaller(world.rabbitmq, "alice", history)
    task = asyncio.create_task(amqp.run())
    yield amqp
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

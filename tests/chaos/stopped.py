"""A broker that stands still in the midst of a translation, and goes on when its time is over.

It holds the claim of a request while another broker takes the request over. What it does when it
wakes up must change nothing: its commit comes under an epoch that has passed.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.chaos import evidence as facts
from tests.chaos import tracing
from tests.chaos.checker import violations
from tests.chaos.evidence import Evidence
from tests.chaos.history import History
from tests.chaos.over_http import HttpCaller
from tests.chaos.scenario import Ask, note_asked, translation
from tests.chaos.tracing import Point
from tests.chaos.world import World, opened
from tests.support.door import session_input
from tests.support.process import BrokerProcess

AT_ONCE = 4
"""Brokers that stand still at the same time, each at another point."""
LOOK_SECONDS = 0.01
STANDSTILL_SECONDS = 30.0
WAKING_SECONDS = 2.0


@dataclass(frozen=True)
class Stops:
    """What came of it."""

    stopped: int
    answered_late: int
    """Clients of a stopped broker that still heard from it when it woke up."""
    violations: list[str]

    @property
    def report(self) -> str:
        return (
            f"{self.stopped} brokers stood still in the midst of a translation, "
            f"{self.answered_late} answered when they woke up, {len(self.violations)} violations"
        )


async def stops(folder: Path, *, seconds: float, rounds: int) -> Stops:
    """Points spread over one translation over HTTP; each broker stands still for ``seconds``."""
    history = History(folder / "history.jsonl")
    try:
        with opened(folder, AT_ONCE + 1, amqp=False, mqtt=False) as world:
            return await _Stops(world, history, folder, seconds).run(rounds)
    finally:
        history.close()


class _Stops:
    def __init__(self, world: World, history: History, folder: Path, seconds: float) -> None:
        self._world = world
        self._history = history
        self._log = folder / "calls"
        self._seconds = seconds
        self._given = session_input(world.session)
        self._awake = world.brokers[0]
        self._elsewhere = self._caller(self._awake)
        self._tokens: dict[str, str] = {}
        self._late = 0

    async def run(self, rounds: int) -> Stops:
        sleepers = self._world.brokers[1:]
        points = await self._points(sleepers[0])
        count = min(rounds * AT_ONCE, len(points))
        # The last ones first: around the commit it matters most.
        chosen = [points[-1 - number * len(points) // count] for number in range(count)]
        for start in range(0, count, AT_ONCE):
            await self._round(start, chosen[start : start + AT_ONCE], sleepers)
        found = await self._evidence()
        await self._elsewhere.close()
        return Stops(count, self._late, violations(found))

    async def _points(self, broker: BrokerProcess) -> list[Point]:
        caller = self._caller(broker)
        await caller.ask(self._asked(caller, "warm"))
        with tracing.recorded(broker.pid, self._log) as points:
            await caller.ask(self._asked(caller, "recorded"))
        await caller.close()
        return points

    async def _round(
        self, start: int, points: Sequence[Point], sleepers: Sequence[BrokerProcess]
    ) -> None:
        await asyncio.gather(
            *(
                self._one(f"stop-{start + number}", point, sleeper)
                for number, (point, sleeper) in enumerate(zip(points, sleepers, strict=False))
            )
        )

    async def _one(self, name: str, point: Point, sleeper: BrokerProcess) -> None:
        caller = self._caller(sleeper)
        await caller.ask(self._asked(caller, f"{name}-warm"))
        ask = self._asked(caller, name)
        with tracing.at(point, sleeper.pid, "STOP"):
            first = asyncio.create_task(caller.once(ask))
            await _still(sleeper, first)
        os.kill(sleeper.pid, signal.SIGSTOP)  # also if it was through before that call
        self._history.note("strike", component=sleeper.url, how=f"STOP {point}")
        woken = asyncio.create_task(self._woken(sleeper))
        # The client gives up and asks another broker.
        answer = await self._elsewhere.ask(ask)
        if answer is not None and answer.token is not None:
            self._tokens[name] = answer.token
        await woken
        with suppress(TimeoutError):
            async with asyncio.timeout(WAKING_SECONDS):
                self._late += await first is not None
        await caller.ask(ask)  # the sleeper's word on it, awake
        await caller.close()

    async def _woken(self, sleeper: BrokerProcess) -> None:
        await asyncio.sleep(self._seconds)
        os.kill(sleeper.pid, signal.SIGCONT)

    def _caller(self, broker: BrokerProcess) -> HttpCaller:
        return HttpCaller([broker.url], self._history, random.Random(0))  # noqa: S311

    def _asked(self, caller: HttpCaller, name: str) -> Ask:
        ask = translation(name, self._given)
        note_asked(self._history, caller, ask)
        return ask

    async def _evidence(self) -> Evidence:
        world = self._world
        url = self._awake.url
        valid = {key: [await self._elsewhere.valid(t, url)] for key, t in self._tokens.items()}
        return Evidence(
            history=list(self._history.events()),
            audit=facts.audit_lines([broker.state / "audit.log" for broker in world.brokers]),
            records=await facts.stored_tokens(world.store),
            valid=valid,
        )


async def _still(broker: BrokerProcess, first: asyncio.Task[object]) -> None:
    """Returns once the process stands still, or has answered before it came to that call."""
    async with asyncio.timeout(STANDSTILL_SECONDS):
        while not first.done() and _state(broker.pid) != "T":  # noqa: ASYNC110  # nobody tells us
            await asyncio.sleep(LOOK_SECONDS)


def _state(pid: int) -> str:
    """One letter, as proc(5) has it; T is stopped, t is stopped by a tracer."""
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0].upper()

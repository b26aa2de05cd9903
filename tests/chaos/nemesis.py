"""Who is struck, how and when. Everything comes from one seed and is written into the history."""

from __future__ import annotations

import asyncio
import random
import signal
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tests.chaos.components import Keeper
from tests.chaos.driver import Pace
from tests.chaos.history import History

KILL, STOP, TERM = "KILL", "STOP", "TERM"
BROKER = "broker"
STOPPED_SECONDS = (0.2, 7.0)
"""From a hiccup to longer than the lease of a claim."""
SOON_SECONDS = 0.05


@dataclass(frozen=True)
class Strike:
    """One blow: components (``broker`` is any of them) and what each of them gets."""

    targets: tuple[str, ...]
    how: str


@dataclass(frozen=True)
class Plan:
    """How many of each. Pairs are struck together and count for both of their components."""

    kills: dict[str, int]
    stops: dict[str, int]
    terms: dict[str, int]
    pairs: tuple[tuple[str, str], ...] = ()

    def strikes(self, chance: random.Random) -> list[Strike]:
        kills = dict(self.kills)
        found = []
        for pair in self.pairs:
            if all(kills.get(name, 0) > 0 for name in pair):
                found.append(Strike(pair, KILL))
                for name in pair:
                    kills[name] -= 1
        for how, numbers in ((KILL, kills), (STOP, self.stops), (TERM, self.terms)):
            for name, number in numbers.items():
                found += [Strike((name,), how)] * number
        chance.shuffle(found)
        return found


class Nemesis:
    """Strikes while the callers are at work."""

    def __init__(
        self, keepers: Sequence[Keeper], pace: Pace, history: History, chance: random.Random
    ) -> None:
        self.done: Counter[str] = Counter()
        """Strikes by component and kind, such as ``redis KILL``."""
        self._keepers = keepers
        self._pace = pace
        self._history = history
        self._chance = chance
        self._stopped: dict[str, asyncio.Task[None]] = {}

    async def run(self, strikes: Sequence[Strike], stories: int) -> None:
        """One strike in each slice of the stories; lets the rest go when all are done."""
        slice_ = stories / max(1, len(strikes))
        for number, strike in enumerate(strikes):
            await self._pace.release(int(slice_ * (number + 2)))
            await self._pace.reached(int(slice_ * (number + self._chance.random() * 0.7)))
            await self._strike(strike)
        await self._pace.release(stories)
        await asyncio.gather(*self._stopped.values())

    async def _strike(self, strike: Strike) -> None:
        victims = [self._victim(target) for target in strike.targets]
        for victim in victims:
            await self._ready(victim)
        await asyncio.sleep(self._chance.uniform(0, SOON_SECONDS))
        for victim in victims:
            self._hit(victim, strike.how)

    def _victim(self, target: str) -> Keeper:
        named = [k for k in self._keepers if k.component.name.split("-")[0] == target]
        return self._chance.choice(named)

    async def _ready(self, victim: Keeper) -> None:
        stopped = self._stopped.pop(victim.component.name, None)
        if stopped is not None:
            await stopped
        await victim.up()

    def _hit(self, victim: Keeper, how: str) -> None:
        name = victim.component.name
        self.done[f"{name.split('-')[0]} {how}"] += 1
        if how == STOP:
            seconds = self._chance.uniform(*STOPPED_SECONDS)
            self._history.note("strike", component=name, how=how, seconds=seconds)
            self._stopped[name] = asyncio.create_task(_stopped(victim, seconds))
            return
        self._history.note("strike", component=name, how=how)
        victim.strike(signal.SIGKILL if how == KILL else signal.SIGTERM)


async def _stopped(victim: Keeper, seconds: float) -> None:
    victim.component.send(signal.SIGSTOP)
    try:
        await asyncio.sleep(seconds)
    finally:
        victim.component.send(signal.SIGCONT)

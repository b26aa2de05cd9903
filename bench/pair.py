"""Two servers asked the same in turn: warmed up, then round by round, one idle meanwhile."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from bench.driver.http import Endpoint
from bench.driver.load import Closed, Open, Stage
from bench.driver.loading import Loading, Outcome, load
from bench.driver.plan import Planned
from bench.driver.run import WRONG, Rules
from bench.machine import SERVERS, circumstances, command_line
from bench.processes import Reading, Watch, used
from bench.result import Measured, Run
from bench.target import Loaded, Target

JVM = "java"
"""The name of a process that compiles itself while it runs, and needs longer to get warm."""
JVM_SECONDS = 60.0
OTHER_SECONDS = 5.0
READ_PART = 0.25
"""Of a warm-up: at its end the rate is read, from which the rounds are planned."""
WARM_REQUESTS = 2000
"""Prepared for a warm-up, which counts for nothing, so they go round."""
SETTLE_PART, SETTLE_SECONDS = 0.2, 2.0
"""Before each stage: of its length, and at most, since the other server has had the machine."""
OPEN_PART = 0.5
"""Of the slower server's rate, so that both keep up with it."""
OPEN_LENGTH = 0.5
"""Of the length of a closed stage."""
MARGIN = 1.3
"""Requests prepared for a closed stage, over what the highest rate so far would take."""
ATTEMPTS = 3
"""At a round whose requests ran out: the server has become faster meanwhile."""
IDLE_CPU = 0.1
"""Of a core: what the server that is not asked may take."""
QUIET_SECONDS, LOOK_SECONDS = 20.0, 0.5
"""How long a server is waited for that was asked before, such as one that still compiles itself."""
TIMEOUT = 30.0
SESSION = "session-"
"""How the requests begin whose subject tokens are sessions: those go round, as users' do."""

Say = Callable[[str], None]
Keep = Callable[[int, int, Run], None]
"""Takes the number of the round, 0 for ours and 1 for the other, and what that round showed."""


class Ended(Exception):
    """A comparison that cannot go on; the sentence says why."""


class Stopped(Exception):
    """Somebody ended it."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured; times in seconds."""

    rounds: int = 5
    seconds: float = 10.0
    """Of a closed stage."""
    in_flight: int = 32
    warm_up: float | None = None
    """None: 60 s for a server on the JVM, 5 s for others."""
    seed: int = 1

    def warming(self, loaded: Loaded) -> float:
        if self.warm_up is not None:
            return self.warm_up
        return JVM_SECONDS if JVM in loaded.processes else OTHER_SECONDS


@dataclass(slots=True)
class Side:
    """One of the two."""

    loaded: Loaded
    version: str = ""
    rate: float = 0.0
    """The highest that it has shown, good answers a second."""
    runs: list[Run] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.loaded.name


@dataclass(frozen=True, slots=True)
class Compared:
    """What the rounds showed: of each server a run a round, with a closed and an open stage."""

    request: str
    ours: tuple[Run, ...]
    theirs: tuple[Run, ...]
    proportional: Mapping[str, int]
    """Bytes at the end by server, shared pages divided; none where that cannot be read."""


class _InTurn:
    """A target whose subject tokens may be shown again."""

    subjects: int | None = None

    def __init__(self, target: Target) -> None:
        self._target = target

    def __getattr__(self, name: str) -> object:
        return getattr(self._target, name)


def in_turn(request: str, sides: Sequence[Side], sizes: Sizes, keep: Keep, say: Say) -> Compared:
    """Warm both up, then alternate: ours, theirs, ours, theirs…

    ``sides`` are ours and the other. Each run goes to ``keep`` once it is there. Raises Ended if an
    answer was wrong or a server answers nothing, Stopped, NotPrepared, DriverFailed, NotHere,
    OSError.
    """
    for side in sides:
        _warmed(request, side, sizes, say)
    stages = planned(min(side.rate for side in sides), sizes)
    for number in range(1, sizes.rounds + 1):
        for at, side in enumerate(sides):
            run = _round(request, side, sides[1 - at], stages, sizes)
            side.runs.append(run)
            keep(number, at, run)
            say(f"{request}, round {number} of {sizes.rounds}: {side.name} {_words(run)}")
            _check(side, run.stages)
    ours, theirs = sides
    pages = {side.name: sum(_look(side).proportional.values()) for side in sides}
    return Compared(request, tuple(ours.runs), tuple(theirs.runs), pages)


def planned(slower: float, sizes: Sizes) -> tuple[Stage, Stage]:
    """The stages of a round: closed, then open at a part of the ``slower`` server's rate."""
    rate = max(1.0, slower * OPEN_PART)
    rate = round(rate, 1 - math.floor(math.log10(rate)))  # two digits: it is only to be bearable
    return (
        _settled(Closed(sizes.in_flight), sizes.seconds),
        _settled(Open(rate), sizes.seconds * OPEN_LENGTH),
    )


def needed(rate: float, stages: Sequence[Stage]) -> int:
    """Requests to prepare for a round of a server that answered at most ``rate`` a second."""
    number = 0.0
    for stage in stages:
        seconds = stage.warm_up + stage.seconds
        if isinstance(stage.load, Open):
            number += stage.load.rate * seconds + 10 * math.sqrt(stage.load.rate * seconds)
        else:
            number += rate * MARGIN * seconds + stage.load.in_flight
    return math.ceil(number) + 10


def _settled(given: Closed | Open, seconds: float) -> Stage:
    return Stage(given, seconds, min(SETTLE_SECONDS, seconds * SETTLE_PART))


def _warmed(request: str, side: Side, sizes: Sizes, say: Say) -> None:
    """Its rate at the end of a warm-up."""
    seconds = sizes.warming(side.loaded)
    say(f"{request}: warming up {side.name} for {seconds:g} s")
    last = max(1.0, seconds * READ_PART)
    stage = Stage(Closed(sizes.in_flight), last, max(0.0, seconds - last))
    outcome = _loaded(request, side, [stage], sizes, WARM_REQUESTS)
    _check(side, outcome.stages)
    side.rate = outcome.stages[0].rate


def _round(request: str, side: Side, idle: Side, stages: Sequence[Stage], sizes: Sizes) -> Run:
    """Measured once more where the requests ran out."""
    for _ in range(ATTEMPTS):
        about = circumstances(
            command_line(),
            sizes.seed,
            {**side.loaded.configuration, "in flight": str(sizes.in_flight)},
            servers=[name for name in side.loaded.processes if name in SERVERS],
            versions={side.name: side.version} if side.version else {},
        )
        watch = Watch(idle.loaded.processes)
        before, begun = _quiet(watch), time.monotonic()
        outcome = _loaded(request, side, stages, sizes, needed(side.rate, stages))
        busy = tuple(_busy(idle, before, watch.look(), time.monotonic() - begun))
        found = tuple(replace(one, problems=(*one.problems, *busy)) for one in outcome.stages)
        if found:
            side.rate = max(side.rate, found[0].rate)
        if sum(one.distinct for one in found) >= sum(one.sent for one in found):
            break
    return Run(side.name, request, about, found, side.loaded.likeness)


def _loaded(
    request: str, side: Side, stages: Sequence[Stage], sizes: Sizes, requests: int
) -> Outcome:
    target = side.loaded.target
    if request.startswith(SESSION):
        target = _InTurn(target)  # type: ignore[assignment]  # by __getattr__
    outcome = load(
        Loading(
            sender=Endpoint(target.url, target.head).options(),
            plan=[Planned.of(stage, f"stage {at}") for at, stage in enumerate(stages)],
            lanes=sizes.in_flight,
            seed=sizes.seed,
            timeout=TIMEOUT,
            requests=requests,
            pids=side.loaded.processes,
            rules=Rules(),
            quiet=not sys.stderr.isatty(),
        ),
        target,
    )
    if outcome.stopped and not any(map(_wrong, outcome.stages)):
        raise Stopped
    return outcome


def _check(side: Side, stages: Sequence[Measured]) -> None:
    """Raises Ended."""
    for one in stages:
        if wrong := _wrong(one):
            raise Ended(f"{side.name} gave {wrong}")
        if not one.answered:
            kinds = ", ".join(f"{kind}: {number}" for kind, number in sorted(one.errors.items()))
            raise Ended(f"{side.name} answered none of {one.sent} requests ({kinds or 'no error'})")


def _wrong(measured: Measured) -> str | None:
    return next((one for one in measured.problems if one.startswith(WRONG)), None)


def _quiet(watch: Watch) -> Reading:
    """A look at servers that do little, or that had their time to come to rest."""
    until, before = time.monotonic() + QUIET_SECONDS, watch.look()
    while True:
        begun = time.monotonic()
        time.sleep(LOOK_SECONDS)
        after = watch.look()
        took = sum(used(before, after).cpu.values()) / (time.monotonic() - begun)
        if took <= IDLE_CPU or time.monotonic() > until:
            return after
        before = after


def _busy(idle: Side, before: Reading, after: Reading, seconds: float) -> Iterator[str]:
    """A sentence if the server that was to be idle was not."""
    took = sum(used(before, after).cpu.values()) / seconds if seconds else 0.0
    if took > IDLE_CPU:
        yield (
            f"{idle.name}, which was to be idle, took {took:.0%} of a core, and no more than"
            f" {IDLE_CPU:.0%} is allowed; give a longer --warm-up"
        )


def _look(side: Side) -> Reading:
    return Watch(side.loaded.processes).look()


def _words(run: Run) -> str:
    closed = run.stages[0]
    cost = closed.cpu_per_token * 1e6
    doubt = "" if run.valid else ", not valid"
    return f"{closed.rate:,.0f}/s, {cost:,.0f} µs of CPU a token{doubt}"

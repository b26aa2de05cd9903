"""Runs that belong together: rounds of the same load on the same server."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from bench.driver.load import Load, Open
from bench.histogram import Histogram
from bench.report.words import load as load_words
from bench.result import Measured, Run

KEPT_UP = 0.98
"""Answered by offered requests: a server below has had enough."""

WRONG = "a wrong answer: "
"""How the problem of such a stage begins (``bench.driver.run``)."""
VARYING = ("frequency",)
"""Readings of a machine that differ from minute to minute."""


@dataclass(frozen=True, slots=True)
class Point:
    """One load, in all rounds of a group."""

    load: Load
    rounds: tuple[Measured, ...]

    @property
    def valid(self) -> bool:
        return all(one.valid for one in self.rounds)

    def values(self, figure: Callable[[Measured], float]) -> tuple[float, ...]:
        """A figure from each round."""
        return tuple(figure(one) for one in self.rounds)

    def median(self, figure: Callable[[Measured], float]) -> float:
        return statistics.median(self.values(figure))

    @property
    def latency(self) -> Histogram:
        """Of all rounds together."""
        return Histogram.merged(one.latency for one in self.rounds)

    @property
    def saturated(self) -> bool:
        """Whether the server fell behind what was offered, in most rounds."""
        return statistics.median(kept_up(one) for one in self.rounds) < KEPT_UP


@dataclass(frozen=True, slots=True)
class Group:
    """Rounds of one load on one server, and in ``points`` each stage of it."""

    runs: tuple[Run, ...]

    @property
    def name(self) -> str:
        return self.runs[0].name

    @property
    def request(self) -> str:
        return self.runs[0].request

    @property
    def transport(self) -> str:
        return self.runs[0].transport

    @property
    def title(self) -> str:
        return f"{self.name}, {self.request}, {self.transport.upper()}"

    @property
    def valid(self) -> bool:
        """Whether :attr:`best` counts. A search ends at a load that is too much, whose figures
        do not; but one wrong answer anywhere, and nothing does."""
        wrong = any(
            problem.startswith(WRONG)
            for run in self.runs
            for one in run.stages
            for problem in one.problems
        )
        return self.best.valid and not wrong

    @property
    def points(self) -> tuple[Point, ...]:
        """Each load once, in the order of the run; a run may have rounds of a load within."""
        found: dict[Load, list[Measured]] = {}
        for run in self.runs:
            for one in run.stages:
                found.setdefault(one.stage.load, []).append(one)
        return tuple(Point(load, tuple(rounds)) for load, rounds in found.items())

    @property
    def opened(self) -> tuple[Point, ...]:
        """The stages of the open model, the lowest rate first."""
        found = [point for point in self.points if isinstance(point.load, Open)]
        return tuple(sorted(found, key=offered))

    @property
    def best(self) -> Point:
        """The most answers a second that the server kept up with, or else :attr:`fullest`."""
        points = [point for point in self.points if point.valid and not point.saturated]
        return max(points, key=lambda point: point.median(rate)) if points else self.fullest

    @property
    def fullest(self) -> Point:
        """The stage with the most answers a second; of valid stages where there is one."""
        points = [point for point in self.points if point.valid] or list(self.points)
        return max(points, key=lambda point: point.median(rate))

    @property
    def saturated_from(self) -> float | None:
        """The lowest offered rate that the server did not keep up with, requests a second."""
        return next((offered(point) for point in self.opened if point.saturated), None)


def groups(runs: Iterable[Run]) -> tuple[Group, ...]:
    """By what was loaded, with what, on what configuration; runs without a stage are left out."""
    found: dict[object, list[Run]] = {}
    for run in runs:
        if run.stages:
            found.setdefault(_key(run), []).append(run)
    return tuple(Group(tuple(rounds)) for rounds in found.values())


def _key(run: Run) -> object:
    at = run.circumstances
    return (
        *(run.name, run.request, run.transport, at.commit),
        tuple(load_words(stage.stage.load) for stage in run.stages),
        *(tuple(sorted(facts.items())) for facts in (at.configuration, steady(at.machine))),
        tuple(run.likeness.rows().items()) if run.likeness else None,
    )


def steady(machine: Mapping[str, str | int | float]) -> dict[str, str | int | float]:
    """What stays the same of a machine from one run to the next."""
    return {name: value for name, value in machine.items() if name not in VARYING}


def offered(point: Point) -> float:
    """Requests a second that were to begin; 0 in a closed model."""
    return point.load.rate if isinstance(point.load, Open) else 0.0


def kept_up(one: Measured) -> float:
    """Answered by offered requests a second, at most 1; 1 in a closed model.

    What was offered is counted: a Poisson process begins a little more or less than its rate. The
    last answer comes after the last request began; that wait is no backlog.
    """
    if not isinstance(one.stage.load, Open) or not one.stage.seconds or not one.sent:
        return 1.0
    seconds = one.seconds - one.latency.percentile(50.0)
    reached = one.answered / seconds if seconds > 0 else 0.0
    return min(reached / (one.sent / one.stage.seconds), 1.0)


def rate(one: Measured) -> float:
    """Good answers a second."""
    return one.rate


def cpu_cost(one: Measured) -> float:
    """CPU seconds for a token; 0 if none was measured."""
    return one.cpu_per_token


def tokens_per_cpu_second(one: Measured) -> float:
    """Of all the server's processes; 0 if none was measured."""
    return 1 / one.cpu_per_token if one.cpu_per_token else 0.0


def resident(one: Measured) -> float:
    """Bytes of all the server's processes; 0 if none was measured."""
    return float(sum(one.server_memory.values()))

"""Two runs, or two sides of alternating runs: whether they are alike, and their ratios.

Whatever would make a ratio say something else than it seems to is named. Another machine, another
load and figures that are not valid are a reason not to compare at all.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.report import words
from bench.report.gather import gathered
from bench.report.groups import cpu_cost, rate, resident, steady
from bench.result import Measured, NoResult, Run


class NotAlike(Exception):
    """Runs that cannot be set against each other; ``reasons`` says why, a sentence each."""

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = tuple(reasons)


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure of a stage."""

    name: str
    unit: str
    scale: float
    """From the unit of :attr:`figure`."""
    more_is_better: bool
    figure: Callable[[Measured], float]


METRICS: tuple[Metric, ...] = (
    Metric("tokens a second", "1/s", 1.0, True, rate),
    Metric("CPU for a token", "µs", 1e6, False, cpu_cost),
    Metric("latency p50", "ms", 1e3, False, lambda one: one.latency.percentile(50.0)),
    Metric("latency p99", "ms", 1e3, False, lambda one: one.latency.percentile(99.0)),
    Metric("memory", "MiB", 2.0**-20, False, resident),
)


@dataclass(frozen=True, slots=True)
class Line:
    """One figure of one stage on both sides, round by round."""

    load: str
    metric: Metric
    a: tuple[float, ...]
    b: tuple[float, ...]

    @property
    def ratios(self) -> tuple[float, ...]:
        """B over A."""
        return tuple(b / a for a, b in zip(self.a, self.b, strict=True))

    @property
    def verdict(self) -> str:
        """What the ratios show: nothing, if some say more and some say less."""
        if len(self.ratios) < 2:
            return "one round: no range"
        if min(self.ratios) <= 1 <= max(self.ratios):
            return "no difference shown"
        more = statistics.median(self.ratios) > 1
        return "B is better" if more == self.metric.more_is_better else "A is better"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two sides and what is to be known before believing it."""

    a: tuple[Run, ...]
    b: tuple[Run, ...]
    order: str
    """How the rounds followed each other."""
    lines: tuple[Line, ...]
    warnings: tuple[str, ...]
    unlike: Mapping[str, tuple[str, str]]
    """Rows of the likeness table that differ: A's words and B's."""


def sides(places: Sequence[Path]) -> tuple[tuple[Run, ...], tuple[Run, ...]]:
    """The runs of A and those of B, each in the order of their time of day.

    Two places are A and B, each a file or a folder; more are files: A1 B1 A2 B2 and so on.
    Raises NoResult, OSError, and NotAlike for sides with another number of rounds.
    """
    if len(places) < 2:
        raise NoResult("a comparison needs two results at least")
    if len(places) == 2:
        a, b = (_runs(place) for place in places)
    else:
        a = [run for place in places[::2] for run in _runs(place)]
        b = [run for place in places[1::2] for run in _runs(place)]
    if len(a) != len(b):
        raise NotAlike([f"A has {words.counted(len(a), 'run')} and B {len(b)}; give as many"])
    return _by_time(a), _by_time(b)


def compared(a: Sequence[Run], b: Sequence[Run], *, anyway: bool = False) -> Comparison:
    """The two sides, round by round.

    Raises NotAlike if they cannot be compared; with ``anyway`` only if their stages differ, and
    what else is against it becomes a warning.
    """
    _same_stages([*a, *b])
    refusals = [*_machines(a, b), *_invalid("A", a), *_invalid("B", b)]
    if refusals and not anyway:
        raise NotAlike(refusals)
    return Comparison(
        *(tuple(a), tuple(b), _order(a, b), _lines(a, b)),
        warnings=(*refusals, *_warnings(a, b)),
        unlike=_unlike(a, b),
    )


def _runs(place: Path) -> list[Run]:
    """A folder may hold tables of cases too, and other files; they are no runs."""
    runs = gathered([place]).runs
    if not runs:
        raise NoResult(f"{place} holds no run")
    return list(runs)


def _by_time(runs: Sequence[Run]) -> tuple[Run, ...]:
    return tuple(sorted(runs, key=lambda run: run.circumstances.at))


def _same_stages(runs: Sequence[Run]) -> None:
    first = runs[0]
    if not first.stages:
        raise NotAlike([f"the run of {first.name} has no stage"])
    reasons = []
    for run in runs[1:]:
        loads = [[(s.stage.load, s.stage.seconds) for s in r.stages] for r in (first, run)]
        if loads[0] != loads[1]:
            reasons.append(
                f"the load differs: {_loads(first)} on one side, {_loads(run)} on the other; give "
                "both the same --rate, --steps or --in-flight"
            )
        if run.transport != first.transport:
            reasons.append(f"one is over {first.transport}, the other over {run.transport}")
    if reasons:
        raise NotAlike(tuple(dict.fromkeys(reasons)))


def _loads(run: Run) -> str:
    return ", ".join(
        f"{words.load(one.stage.load)} for {words.figure(one.stage.seconds)} s"
        for one in run.stages[:8]
    )


def _machines(a: Sequence[Run], b: Sequence[Run]) -> list[str]:
    first = steady(a[0].circumstances.machine)
    return [
        f"the machine differs in {name}: {first.get(name, 'none')} and {other.get(name, 'none')}"
        for other in _different([steady(run.circumstances.machine) for run in (*a, *b)])
        for name in sorted({*first, *other})
        if first.get(name) != other.get(name)
    ]


def _different(facts: Sequence[Mapping[str, object]]) -> list[Mapping[str, object]]:
    found: list[Mapping[str, object]] = []
    for one in facts:
        if one not in found:
            found.append(one)
    return found


def _invalid(side: str, runs: Sequence[Run]) -> list[str]:
    problems = {problem for run in runs for one in run.stages for problem in one.problems}
    return [f"{side} is not valid: {problem}" for problem in sorted(problems)]


def _warnings(a: Sequence[Run], b: Sequence[Run]) -> list[str]:
    said = []
    for what, values in (
        ("the seed differs", {run.circumstances.seed for run in (*a, *b)}),
        ("the kind of request differs", {run.request for run in (*a, *b)}),
    ):
        if len(values) > 1:
            said.append(
                f"{what}: {', '.join(words.plain(value) for value in sorted(values, key=str))}"
            )
    if any(run.circumstances.commit.endswith("+") for run in (*a, *b)):
        said.append("a checkout had been changed: others cannot repeat it")
    known = [side[0].likeness is not None for side in (a, b)]
    if known[0] != known[1]:
        missing = "B" if known[0] else "A"
        said.append(f"{missing} does not say what its tokens include: client, checks, persistence")
    if not _alternate(a, b):
        said.append("the runs did not alternate: what the machine did meanwhile is in the ratio")
    if len(a) < 2:
        said.append("one round on each side: there is no range, and chance is in the ratio")
    return said


def _unlike(a: Sequence[Run], b: Sequence[Run]) -> dict[str, tuple[str, str]]:
    ours, theirs = a[0].likeness, b[0].likeness
    if ours is None or theirs is None:
        return {}
    return {
        name: (value, theirs.rows()[name])
        for name, value in ours.rows().items()
        if value != theirs.rows()[name]
    }


def _in_time(a: Sequence[Run], b: Sequence[Run]) -> str:
    marked = [(run.circumstances.at, "A") for run in a] + [(run.circumstances.at, "B") for run in b]
    return "".join(side for _, side in sorted(marked))


def _alternate(a: Sequence[Run], b: Sequence[Run]) -> bool:
    """Whether each two neighbours are one of either side: ABAB, or ABBA."""
    order = _in_time(a, b)
    return all(len({*order[at : at + 2]}) == 2 for at in range(0, len(order), 2))


def _order(a: Sequence[Run], b: Sequence[Run]) -> str:
    order = " ".join(_in_time(a, b))
    return f"by their time of day: {order}" + (", alternating" if _alternate(a, b) else "")


def _lines(a: Sequence[Run], b: Sequence[Run]) -> tuple[Line, ...]:
    """A figure that one side lacks (no process was watched) is left out."""
    lines = []
    for at, stage in enumerate(a[0].stages):
        for metric in METRICS:
            ours, theirs = (
                tuple(metric.figure(run.stages[at]) * metric.scale for run in side)
                for side in (a, b)
            )
            if all(ours) and all(theirs):
                lines.append(Line(words.load(stage.stage.load), metric, ours, theirs))
    return tuple(lines)

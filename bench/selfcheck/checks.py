"""The checks: known delays, a stall of the whole server, and the rate that wrk finds."""

from __future__ import annotations

import random
from array import array
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.driver.load import Closed, Open, Stage
from bench.driver.schedule import Segment, moments
from bench.histogram import Histogram
from bench.selfcheck import wrk
from bench.selfcheck.finding import Finding
from bench.selfcheck.loading import Loaded, drivers, loaded
from bench.selfcheck.prediction import CURVE, latencies, percentile
from bench.selfcheck.stubs import stub

Say = Callable[[str], None]
ATTEMPTS = 3
MILLI = 1000.0
CONSTANT = "constant delay"
SPREAD = "spread delays"
STALL = "stall, open model"
STALL_CLOSED = "stall, closed model"
BESIDE_WRK = "beside wrk"
CLOSED_IN_FLIGHT = 10


@dataclass(frozen=True, slots=True)
class Sizes:
    """How long the checks take. Times in seconds."""

    delay: float = 0.2
    """Long beside what a process waits for its turn on a busy machine."""
    rate: float = 200.0
    seconds: float = 8.0
    warm_up: float = 1.0
    stalled_seconds: float = 20.0
    stall: float = 2.0
    stall_at: float = 5.0
    """After the warm-up."""
    rounds: int = 3
    round_seconds: int = 3
    connections: int = 32
    wrk_delay: float = 0.02
    """32 connections with 20 ms are 1,600 a second: the stub decides, not a driver's speed."""


def spread() -> list[float]:
    """A thousand delays, in a fixed disorder: most of 20 to 60 ms, one in twenty 200 to 300."""
    number, slow = 1000, 50
    quick = [0.02 + 0.04 * step / (number - slow) for step in range(number - slow)]
    late = [0.2 + 0.1 * step / slow for step in range(slow)]
    delays = quick + late
    random.Random(1).shuffle(delays)  # noqa: S311  # an order, no secret
    return delays


async def undisturbed(
    attempt: Callable[[], Awaitable[tuple[Loaded, list[Finding]]]], say: Say
) -> list[Finding]:
    """The findings of an attempt that the machine left in peace, else of the one that it disturbed
    least."""
    attempts: list[tuple[Loaded, list[Finding]]] = []
    for left in reversed(range(ATTEMPTS)):
        seen, findings = await attempt()
        attempts.append((seen, findings))
        if seen.disturbed is None or all(finding.good for finding in findings):
            return findings
        say(f"the machine is busy ({seen.disturbed})" + (": once more" if left else ""))
    _, findings = min(attempts, key=lambda one: one[0].late)
    say(f"it was busy in all {ATTEMPTS} attempts: the figures below may be its own")
    return findings


async def delays(
    check: str, given: Sequence[float], sizes: Sizes, folder: Path, seed: int
) -> tuple[Loaded, list[Finding]]:
    """A fixed rate against known delays."""
    lanes = round(sizes.rate * max(given) * 2) + CLOSED_IN_FLIGHT
    stage = Stage(Open(sizes.rate, "even"), sizes.seconds, sizes.warm_up)
    async with stub(given) as server, drivers(server, folder, lanes=lanes, seed=seed) as running:
        seen = await loaded(running, server, stage)
    return seen, _compared(check, seen.measured.latency, list(given), (50.0, 99.0))


async def stall(sizes: Sizes, folder: Path, seed: int) -> tuple[Loaded, list[Finding]]:
    """The whole server stands still once; what arithmetic says, and what a closed model would."""
    stage = Stage(Open(sizes.rate, "even"), sizes.stalled_seconds, sizes.warm_up)
    lanes = round(sizes.rate * (sizes.stall + sizes.delay) * 1.5) + CLOSED_IN_FLIGHT
    seen, stood = await _stalled(stage, lanes, sizes, folder, seed)
    segments = (Segment(sizes.rate, sizes.rate, sizes.warm_up + sizes.stalled_seconds),)
    offsets = moments(segments, arrivals="even", seed="", part=0, parts=1)
    counted = array("d", (seen.start + at for at in offsets if at >= sizes.warm_up))
    expected = latencies(counted, [sizes.delay], lanes=lanes, stall=stood)
    findings = _compared(STALL, seen.measured.latency, expected, CURVE)
    return seen, findings


async def stall_closed(sizes: Sizes, folder: Path, seed: int) -> list[Finding]:
    """The same stall in a closed model: nothing is expected of it, it shows what it hides."""
    stage = Stage(Closed(CLOSED_IN_FLIGHT), sizes.stalled_seconds, sizes.warm_up)
    seen, _ = await _stalled(stage, CLOSED_IN_FLIGHT, sizes, folder, seed)
    remark = f"{CLOSED_IN_FLIGHT} in flight: it waits, so it does not see who else would have"
    return [
        Finding(
            *(STALL_CLOSED, f"p{percent:g}", seen.measured.latency.percentile(percent) * MILLI),
            *(None, "ms", remark),
        )
        for percent in (99.0,)
    ]


async def beside_wrk(sizes: Sizes, folder: Path, seed: int) -> list[Finding]:
    """Rounds of both drivers in turn, their medians; then what each gets out of a CPU second."""
    ours, theirs = await _rounds(sizes.wrk_delay, sizes, folder, seed)
    findings = [
        Finding(
            *(BESIDE_WRK, "answers a second", median(one.measured.rate for one in ours)),
            *(median(said.rate for said in theirs), "/s", f"medians of {sizes.rounds} rounds"),
        )
    ]
    ours, theirs = await _rounds(0.0, sizes, folder, seed)
    capacity = median(one.measured.rate / max(one.measured.driver_cpu, 0.01) for one in ours)
    figure = "answers a CPU second of the driver"
    remark = "no delay: what a driver costs, to know how much of the machine it takes"
    others = median(said.per_cpu_second for said in theirs)
    return [
        *findings,
        Finding(BESIDE_WRK, figure, capacity, None, "/s", remark),
        Finding(BESIDE_WRK, figure.replace("the driver", "wrk"), others, None, "/s"),
    ]


async def _rounds(
    delay: float, sizes: Sizes, folder: Path, seed: int
) -> tuple[list[Loaded], list[wrk.Said]]:
    stage = Stage(Closed(sizes.connections), sizes.round_seconds, warm_up=0.5)
    ours, theirs = [], []
    async with (
        stub([delay]) as server,
        drivers(server, folder, lanes=sizes.connections, seed=seed) as running,
    ):
        for _ in range(sizes.rounds):
            ours.append(await loaded(running, server, stage))
            theirs.append(
                await wrk.measured(
                    server.url, connections=sizes.connections, seconds=sizes.round_seconds
                )
            )
    return ours, theirs


async def _stalled(
    stage: Stage, lanes: int, sizes: Sizes, folder: Path, seed: int
) -> tuple[Loaded, tuple[float, float]]:
    async with (
        stub([sizes.delay]) as server,
        drivers(server, folder, lanes=lanes, seed=seed) as running,
    ):
        at = stage.warm_up + sizes.stall_at

        def started(start: float) -> None:
            server.stall(start + at, sizes.stall)

        seen = await loaded(running, server, stage, started=started)
    return seen, server.stalls[0]


def _compared(
    check: str, seen: Histogram, expected: Sequence[float], percents: Sequence[float]
) -> list[Finding]:
    return [
        Finding(
            *(check, f"p{percent:g}", seen.percentile(percent) * MILLI),
            *(percentile(expected, percent) * MILLI, "ms"),
        )
        for percent in percents
    ]

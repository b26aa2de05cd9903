"""``remint bench selfcheck``: what it predicts, and that it tells a driver that lies.

How near real figures come is not judged here: machines differ, and that of the tests is busy.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bench.driver.load import Closed, Stage
from bench.histogram import Histogram
from bench.selfcheck import checks, wrk
from bench.selfcheck.checks import Sizes
from bench.selfcheck.finding import TOLERANCE, Finding
from bench.selfcheck.prediction import latencies, percentile
from bench.selfcheck.running import checked, shown
from bench.selfcheck.stubs import stub
from tests.bench.driving import fleet_of, one_stage

SHORT = Sizes(
    rate=50.0,
    seconds=0.5,
    warm_up=0.2,
    stalled_seconds=1.5,
    stall=0.5,
    stall_at=0.5,
    rounds=1,
    round_seconds=1,
    connections=4,
)


def silent(_: str) -> None:
    """Says nothing."""


# -- arithmetic ----------------------------------------------------------------------------------


def test_known_delays() -> None:
    """Without a stall and with lanes for all, everybody waits for the delay alone."""
    assert latencies([0.0, 0.1, 0.2], [0.5, 0.3], lanes=3) == pytest.approx([0.5, 0.3, 0.5])


def test_lanes_are_waited_for() -> None:
    """Requests that find no lane wait for the first that gets free."""
    assert latencies([0.0, 0.1, 0.2], [1.0], lanes=1) == pytest.approx([1.0, 1.9, 2.8])


def test_stall() -> None:
    """During a stall nothing is taken or answered: who comes meanwhile waits for its end."""
    found = latencies([0.0, 0.95, 1.5, 3.0], [0.1], lanes=9, stall=(1.0, 2.0))
    assert found == pytest.approx([0.1, 1.05, 0.6, 0.1])


def test_percentile_counts_as_histograms_do() -> None:
    """Predicted and measured percentiles are those of the same definition."""
    values = [number / 1000 for number in range(1, 201)]
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    for percent in (1.0, 50.0, 99.0, 99.5, 100.0):
        assert histogram.percentile(percent) == pytest.approx(
            percentile(values, percent), rel=0.002
        )


@pytest.mark.parametrize(
    ("measured", "expected", "good"),
    [(100.0, 100.0, True), (104.9, 100.0, True), (106.0, 100.0, False), (94.0, 100.0, False)],
)
def test_tolerance(measured: float, expected: float, good: bool) -> None:
    """A figure is good within 5 % of what it must be, and only then."""
    finding = Finding("check", "p99", measured, expected, "ms")
    assert (TOLERANCE, finding.good) == (0.05, good)


def test_spread_delays() -> None:
    """The spread delays have the percentiles that the check is told of."""
    delays = checks.spread()
    assert percentile(delays, 50) == pytest.approx(0.041, rel=0.01)
    assert percentile(delays, 99) == pytest.approx(0.278, rel=0.01)


# -- the stub ------------------------------------------------------------------------------------


async def test_stub_delays(tmp_path: Path) -> None:
    """The stub answers no request before its delay is over."""
    async with stub([0.05]) as server:
        measured = await one_stage(fleet_of(tmp_path, server.url), Stage(Closed(4), 0.5))
    assert measured.answered > 0
    assert measured.errors == {}
    assert measured.latency.percentile(0) >= 0.05


async def test_stub_stalls(tmp_path: Path) -> None:
    """A stall is told with the moments between which the stub stood still."""
    async with stub([0.0]) as server:
        now = asyncio.get_running_loop().time()
        server.stall(now, 0.2)
        while not server.stalls:
            await server.late()
        ((begun, ended),) = server.stalls
    assert begun >= now
    assert ended - begun >= 0.2


# -- the whole -----------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.server
async def test_every_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each check gives its figures, wrk's among them; a stall is seen in the open model's."""
    monkeypatch.setattr(checks, "ATTEMPTS", 1)
    findings = await checked(SHORT, 1, silent)
    found = {(one.check, one.figure): one for one in findings}
    assert {check for check, _ in found} == {
        *(checks.CONSTANT, checks.SPREAD, checks.STALL, checks.STALL_CLOSED, checks.BESIDE_WRK)
    }
    stalled = found[checks.STALL, "p99"]
    assert stalled.expected is not None
    assert min(stalled.expected, stalled.measured) >= 400
    assert all(one.measured > 0 for one in findings)
    assert shown(findings).row_count == len(findings)


@pytest.mark.slow
async def test_without_wrk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where wrk is missing its check is left out with a sentence that says how to get it."""
    monkeypatch.setattr(checks, "ATTEMPTS", 1)
    monkeypatch.setattr(wrk, "there", lambda: False)
    said: list[str] = []
    findings = await checked(SHORT, 1, said.append)
    assert checks.BESIDE_WRK not in {one.check for one in findings}
    assert "apt-get install wrk" in said[-1]


async def test_busy_machine(tmp_path: Path) -> None:
    """A figure that is off while the machine disturbed the driver is measured three times, with a
    sentence each, and the least disturbed attempt counts."""
    said: list[str] = []
    lates = iter([0.3, 0.1, 0.2])

    async with stub([0.0]) as server:
        measured = await one_stage(fleet_of(tmp_path, server.url), Stage(Closed(1), 0.1))

    async def attempt() -> tuple[checks.Loaded, list[Finding]]:
        late = next(lates)
        return checks.Loaded(measured, 0.0, late), [Finding("c", "p99", late, 9.0, "ms")]

    (finding,) = await checks.undisturbed(attempt, said.append)
    assert finding.measured == 0.1
    assert len(said) == checks.ATTEMPTS + 1
    assert all("busy" in one for one in said)

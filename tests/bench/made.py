"""Made results, for what reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bench.driver.load import Closed, Load, Open, Stage
from bench.histogram import Histogram
from bench.result import Circumstances, Measured, Row, Run, Table
from bench.target import Likeness

SECONDS = 10.0
CIRCUMSTANCES = Circumstances(
    at="2026-01-02T03:00:00+00:00",
    commit="0123456789ab",
    command="remint bench http http://127.0.0.1:8080/rest-sts/a --steps 100,200",
    seed=7,
    machine={"cpu": "a processor", "cores usable": 2, "frequency": "2000 MHz"},
    versions={"python": "3.11.2"},
    configuration={"store": "redis"},
)
LIKENESS = Likeness(
    input="a session",
    output="an ID token",
    client_authentication="none",
    verified="the session",
    session_writes="none",
    persistence="Redis",
    signature="RS256, 2048 bit",
    memory_limit="none",
)


def at(minute: int, **other: Any) -> Circumstances:
    """The circumstances of a run that began so many minutes past three."""
    return replace(CIRCUMSTANCES, at=f"2026-01-02T03:{minute:02}:00+00:00", **other)


def histogram(middle: float) -> Histogram:
    """A thousand durations from half to four times the middle one, in seconds."""
    made = Histogram()
    for part in range(1000):
        made.record(middle * (0.5 + part / 1000 if part < 990 else 4.0))
    return made


def measured(
    load: Load,
    rate: float,
    middle: float = 0.002,
    cpu: Mapping[str, float] | None = None,
    **other: Any,
) -> Measured:
    """A stage that answered ``rate`` requests a second, all of them after about ``middle``."""
    answered = round(rate * SECONDS)
    made = Measured(
        stage=Stage(load, SECONDS, 2.0),
        seconds=SECONDS + middle,
        sent=round(load.rate * SECONDS) if isinstance(load, Open) else answered,
        answered=answered,
        errors={},
        latency=histogram(middle),
        service=histogram(middle),
        lag=histogram(0.0003) if isinstance(load, Open) else Histogram(),
        driver_cpu=0.2,
        distinct=answered,
        server_cpu={"broker": 4.0, "redis": 1.0} if cpu is None else cpu,
        server_memory={"broker": 100 * 2**20, "redis": 20 * 2**20},
        steal=0.001,
        checked=answered // 100,
    )
    return replace(made, **other)


def run(
    *stages: Measured,
    name: str = "Remint",
    request: str = "session-to-rs256",
    circumstances: Circumstances = CIRCUMSTANCES,
    likeness: Likeness | None = LIKENESS,
    transport: str = "http",
) -> Run:
    return Run(name, request, circumstances, stages, likeness, transport)


def steps(*, saturated: bool = True, **other: Any) -> Run:
    """A run of the open model at 100, 200 and 400/s; of the last only 250/s are answered."""
    last = measured(Open(400.0), 250.0 if saturated else 400.0, 1.5 if saturated else 0.01)
    rates = (measured(Open(100.0), 100.0), measured(Open(200.0), 200.0, 0.004))
    return run(*rates, last, **other)


def closed(rate: float, **other: Any) -> Run:
    """A run with 16 requests in flight."""
    stage = measured(Closed(16), rate, 16 / rate, other.pop("cpu", None))
    return run(replace(stage, problems=other.pop("problems", ())), **other)


def table(*rows: Row, case: str = "http", **other: Any) -> Table:
    given = {"title": f"the case {case}", "formula": "echo + signature", **other}
    return Table(case=case, circumstances=CIRCUMSTANCES, rows=rows, **given)

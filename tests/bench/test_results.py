"""What a run leaves behind: histograms, prepared requests, documents."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.driver.load import Closed, Load, Open, Stage
from bench.histogram import Histogram
from bench.pool import Pool, write_pool
from bench.result import Circumstances, Measured, NoResult, Row, Run, Table, read, write
from bench.target import Likeness

CIRCUMSTANCES = Circumstances(
    at="2026-01-02T03:04:05Z",
    commit="0123abc+",
    command="remint bench http",
    seed=7,
    machine={"cores": 2, "cpu": "a processor"},
    versions={"python": "3.11"},
    configuration={"store": "memory"},
)
LIKENESS = Likeness("a", "b", "c", "d", "e", "f", "g", "h")


def histogram(*seconds: float) -> Histogram:
    made = Histogram()
    for one in seconds:
        made.record(one)
    return made


def measured(load: Load) -> Measured:
    return Measured(
        stage=Stage(load, seconds=10.0, warm_up=2.0),
        seconds=10.0,
        sent=5,
        answered=4,
        errors={"timeout": 1},
        latency=histogram(0.001, 0.002, 0.003, 2.0),
        service=histogram(0.001),
        lag=histogram(),
        driver_cpu=0.5,
        distinct=5,
        server_cpu={"broker": 0.02, "redis": 0.01},
        problems=("a reason",),
    )


# -- histograms ----------------------------------------------------------------------------------


@given(st.lists(st.floats(1e-6, 3000.0), min_size=1, max_size=200))
def test_percentiles(seconds: list[float]) -> None:
    """A percentile is a duration that so many did not exceed, right to three digits."""
    made = histogram(*seconds)
    ordered = sorted(seconds)
    assert len(made) == len(seconds)
    assert made.percentile(100.0) == pytest.approx(ordered[-1], rel=2e-3, abs=2e-6)
    middle = ordered[(len(ordered) + 1) // 2 - 1]
    assert made.percentile(50.0) == pytest.approx(middle, rel=2e-3, abs=2e-6)


@pytest.mark.parametrize("seconds", [-1.0, 0.0, 1e9])
def test_durations_out_of_range_count(seconds: float) -> None:
    """Nothing is left out for being too short or too long."""
    assert len(histogram(seconds)) == 1


def test_empty_histogram() -> None:
    """Without durations every figure is zero."""
    assert set(histogram().percentiles().values()) == {0.0}
    assert histogram().mean == 0.0


def test_merged_histograms() -> None:
    """What several processes measured is one distribution, also after being written as text."""
    values = [random.Random(1).expovariate(100) for _ in range(1000)]  # noqa: S311
    parts = [histogram(*values[at::3]) for at in range(3)]
    whole = Histogram.merged(Histogram.decoded(part.encoded()) for part in parts)
    assert whole.percentiles() == histogram(*values).percentiles()


@pytest.mark.parametrize("text", ["", "HIST", "ü", "SElTVEZBQUFB", "HISTFAAAAAR4nAMA"])
def test_no_histogram(text: str) -> None:
    """Another text is refused as a value that is none."""
    with pytest.raises(ValueError, match="no encoded histogram"):
        Histogram.decoded(text)


# -- prepared requests ---------------------------------------------------------------------------


@given(bodies=st.lists(st.binary(max_size=50), min_size=1, max_size=20))
def test_pool(tmp_path_factory: pytest.TempPathFactory, bodies: list[bytes]) -> None:
    """Each body comes back by its number; beyond the last they go round."""
    path = tmp_path_factory.mktemp("pool") / "pool"
    assert write_pool(path, bodies) == len(bodies)
    with Pool(path) as pool:
        assert len(pool) == len(bodies)
        assert [pool[number] for number in range(2 * len(bodies))] == bodies * 2


def test_no_pool(tmp_path: Path) -> None:
    """An empty pool cannot be made, and another file is refused."""
    with pytest.raises(ValueError, match="one at least"):
        write_pool(tmp_path / "pool", [])
    (tmp_path / "other").write_bytes(b"something else")
    with pytest.raises(ValueError, match="is no pool"):
        Pool(tmp_path / "other")


# -- documents -----------------------------------------------------------------------------------


@pytest.mark.parametrize("load", [Closed(8), Open(12.5), Open(3.0, arrivals="even")])
def test_a_run_is_read_as_it_was_written(tmp_path: Path, load: Load) -> None:
    """A document keeps every figure, and the whole distribution of latencies."""
    run = Run("Remint", "session-to-rs256", CIRCUMSTANCES, (measured(load),), LIKENESS)
    write(tmp_path / "deep" / "run.json", run)
    back = read(tmp_path / "deep" / "run.json")
    assert isinstance(back, Run)
    assert (back.likeness, back.circumstances) == (LIKENESS, CIRCUMSTANCES)
    (stage,) = back.stages
    assert stage.stage == Stage(load, 10.0, 2.0)
    assert stage.latency.percentiles() == run.stages[0].latency.percentiles()
    assert (stage.rate, stage.cpu_per_token, len(stage.lag)) == (0.4, 0.0075, 0)
    assert (stage.valid, back.valid, stage.problems) == (False, False, ("a reason",))


def test_a_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    """The rounds of both sides stay apart, and ratios are taken round by round."""
    rows = (
        Row("HTTP", "µs", (20.0, 33.0), (10.0, 11.0), target=1.2, facts={"workers": 1}),
        Row("alone", "ms", (1.0,)),
    )
    table = Table("translate", "a title", "echo + signature", CIRCUMSTANCES, rows)
    write(tmp_path / "table.json", table)
    assert read(tmp_path / "table.json") == table
    assert [row.ratios for row in rows] == [(2.0, 3.0), ()]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"format": "another/1"}',
        json.dumps({"format": "remint-bench-run/1", "name": "x"}),
        json.dumps({"format": "remint-bench-table/1", "rows": [{}]}),
    ],
)
def test_no_document(tmp_path: Path, text: str) -> None:
    """A file that is no result is refused with its name."""
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(NoResult, match=r"x\.json"):
        read(tmp_path / "x.json")

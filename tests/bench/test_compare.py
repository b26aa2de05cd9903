"""Comparing runs: ratios round by round, and a name for whatever makes them unlike."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.cli import app
from bench.compare import NotAlike, compared, sides
from bench.driver.load import Closed
from bench.result import NoResult, Row, Run, Table, read, write
from tests.bench.made import LIKENESS, at, closed, measured, run, steps, table

DOUBLE = """
import sys
from pathlib import Path
from bench.result import write
from tests.bench.made import at, closed
out, rate = Path(sys.argv[-1]), float(sys.argv[1])
count = Path(sys.argv[2])
number = len(count.read_text()) if count.exists() else 0
count.write_text("x" * (number + 1))
write(out, closed(rate, circumstances=at(number), problems=tuple(sys.argv[3:-2])))
sys.exit(1 if sys.argv[3:-2] else 0)
"""
"""A load tester that leaves a made result: RATE COUNTER [PROBLEM] --out FILE."""


def told(*arguments: object) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of the command, in wide lines."""
    words = ["compare", *map(str, arguments)]
    ran = CliRunner().invoke(app, words, env={"COLUMNS": "220", "TERMINAL_WIDTH": "220"})
    return ran.exit_code, ran.stdout, ran.stderr


def written(folder: Path, **documents: Run | Table) -> list[Path]:
    paths = [folder / f"{name}.json" for name in documents]
    for path, document in zip(paths, documents.values(), strict=True):
        write(path, document)
    return paths


# -- figures -------------------------------------------------------------------------------------


def test_ratios() -> None:
    """Ratios are B over A of the same round; median and range are those of the ratios."""
    a = [closed(rate, circumstances=at(2 * n)) for n, rate in enumerate((100.0, 200.0, 100.0))]
    b = [closed(rate, circumstances=at(2 * n + 1)) for n, rate in enumerate((50.0, 80.0, 60.0))]
    found = compared(a, b)
    line = next(line for line in found.lines if line.metric.name == "CPU for a token")
    assert line.a == pytest.approx((5000.0, 2500.0, 5000.0))
    assert line.ratios == pytest.approx((2.0, 2.5, 100 / 60))
    assert line.verdict == "A is better"
    assert found.order.endswith("A B A B A B, alternating")
    assert found.warnings == ()
    rates = next(line for line in found.lines if line.metric.name == "tokens a second")
    assert rates.verdict == "A is better"
    memory = next(line for line in found.lines if line.metric.name == "memory")
    assert (memory.a[0], memory.verdict) == (120.0, "no difference shown")


def test_every_stage_has_its_lines() -> None:
    """Rate, CPU, p50, p99 and memory of each stage; what was not measured is left out."""
    assert len(compared([steps()], [steps(circumstances=at(1))]).lines) == 3 * 5
    bare = run(measured(Closed(2), 10.0, cpu={}, server_memory={}))
    found = compared([bare], [replace(bare, circumstances=at(1))])
    assert [line.metric.name for line in found.lines] == [
        *("tokens a second", "latency p50", "latency p99"),
    ]
    assert {line.verdict for line in found.lines} == {"one round: no range"}


# -- alike or not --------------------------------------------------------------------------------


def test_other_loads_are_not_compared() -> None:
    """Not even if asked to: there are no two figures of the same thing."""
    for other in (
        run(measured(Closed(17), 100.0)),
        run(*closed(100.0).stages, *closed(100.0).stages),
        closed(100.0, transport="amqp"),
        run(),
    ):
        with pytest.raises(NotAlike):
            compared([closed(100.0)], [other], anyway=True)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (
            closed(9.0, circumstances=at(1, machine={"cpu": "another"})),
            "the machine differs in cpu",
        ),
        (closed(9.0, problems=("it was too late",)), "B is not valid: it was too late"),
    ],
)
def test_what_is_refused(other: Run, said: str) -> None:
    """Another machine and invalid figures are refused by name; with --anyway they are named."""
    with pytest.raises(NotAlike, match=said):
        compared([closed(10.0)], [other])
    assert any(
        said in warning for warning in compared([closed(10.0)], [other], anyway=True).warnings
    )


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (closed(9.0, circumstances=at(1, seed=8)), "the seed differs: 7, 8"),
        (closed(9.0, request="another"), "the kind of request differs: another, session-to-rs256"),
        (closed(9.0, circumstances=at(1, commit="0123456789ab+")), "a checkout had been changed"),
        (closed(9.0, likeness=None), "B does not say what its tokens include"),
        (closed(9.0, circumstances=at(1)), "one round on each side"),
    ],
)
def test_what_is_named(other: Run, said: str) -> None:
    """Differences that a reader can live with are warnings."""
    assert any(said in warning for warning in compared([closed(10.0)], [other]).warnings)


def test_a_frequency_is_no_other_machine() -> None:
    """What a processor's clock was at that moment does not keep runs from being compared."""
    machine = {**at(0).machine, "frequency": "3000 MHz"}
    assert compared([closed(10.0)], [closed(9.0, circumstances=at(1, machine=machine))]).lines


@pytest.mark.parametrize(
    ("order", "alternating"), [("ABAB", True), ("ABBA", True), ("AABB", False), ("BBAA", False)]
)
def test_alternating(order: str, alternating: bool) -> None:
    """By their time of day each two neighbours are one of either side, or a warning says not."""
    runs = [(side, closed(100.0, circumstances=at(n))) for n, side in enumerate(order)]
    found = compared(*([r for side, r in runs if side == name] for name in "AB"))
    assert found.order == "by their time of day: " + " ".join(order) + ", alternating" * alternating
    assert any("did not alternate" in warning for warning in found.warnings) != alternating


# -- which runs ----------------------------------------------------------------------------------


def test_sides_of_files(tmp_path: Path) -> None:
    """Files are A1 B1 A2 B2; each side is put in the order of its time of day."""
    rates = {"a1": 1.0, "b1": 2.0, "a2": 3.0, "b2": 4.0}
    documents = {
        name: closed(rate, circumstances=at(9 - n)) for n, (name, rate) in enumerate(rates.items())
    }
    a, b = sides(written(tmp_path, **documents))
    assert [round(one.stages[0].answered / 10) for one in (*a, *b)] == [3, 1, 4, 2]


def test_sides_of_folders(tmp_path: Path) -> None:
    """A folder holds the rounds of one side; tables and other files in it are no runs."""
    written(tmp_path / "a", one=closed(1.0), two=closed(2.0), case=table(Row("a", "µs", (1.0,))))
    written(tmp_path / "b", one=closed(1.0), two=closed(2.0))
    (tmp_path / "a" / "other.json").write_text("{}")
    a, b = sides([tmp_path / "a", tmp_path / "b"])
    assert (len(a), len(b)) == (2, 2)
    (tmp_path / "b" / "two.json").unlink()
    with pytest.raises(NotAlike, match="A has 2 runs and B 1"):
        sides([tmp_path / "a", tmp_path / "b"])


@pytest.mark.parametrize("other", ["missing", "garbage", "table"])
def test_no_run(tmp_path: Path, other: str) -> None:
    """Whatever holds no run is named in a sentence."""
    (run_,) = written(tmp_path, a=closed(1.0))
    place = tmp_path / "b.json"
    if other == "garbage":
        place.write_text("no JSON")
    if other == "table":
        write(place, table(Row("a", "µs", (1.0,))))
    with pytest.raises(NoResult, match=r"b\.json"):
        sides([run_, place])
    assert told(run_, place)[0] == 1


# -- the command ---------------------------------------------------------------------------------


def test_the_table(tmp_path: Path) -> None:
    """Medians, ranges, ratios, and the rows of the likeness table that differ."""
    unlike = replace(LIKENESS, persistence="memory, lost at restart [bold]")
    paths = written(
        tmp_path,
        a1=closed(100.0, circumstances=at(0)),
        b1=closed(200.0, circumstances=at(1), name="a peer", likeness=unlike),
        a2=closed(100.0, circumstances=at(2)),
        b2=closed(250.0, circumstances=at(3), name="a peer", likeness=unlike),
    )
    code, said, _ = told(*paths, "--out", tmp_path / "c.json")
    assert code == 0
    assert "memory, lost at restart [bold]" in said
    assert "2 rounds by their time of day: A B A B, alternating." in said
    assert "0.450 (0.400 to 0.500)" in said or "0.45 (0.4 to 0.5)" in said
    assert "B is better" in said
    kept = json.loads((tmp_path / "c.json").read_text())
    assert kept["unlike"] == {"persistence": ["Redis", "memory, lost at restart [bold]"]}
    assert kept["figures"][1]["ratios"] == pytest.approx([0.5, 0.4])


def test_markdown(tmp_path: Path) -> None:
    """A file that ends in .md holds the same as tables of Markdown."""
    paths = written(tmp_path, a=closed(100.0), b=closed(200.0, circumstances=at(1)))
    assert told(*paths, "--out", tmp_path / "c.md")[0] == 0
    text = (tmp_path / "c.md").read_text()
    assert "| load | figure | unit | A | B | ratio |" in text
    assert "| 16 in flight | CPU for a token | µs | 5,000 | 2,500 | 0.5 |" in text


def test_refusal(tmp_path: Path) -> None:
    """What is not compared ends with exit code 1 and every reason on a line of its own."""
    other = closed(9.0, problems=("too late", "too few"))
    paths = written(tmp_path, a=closed(10.0), b=other)
    code, said, error = told(*paths)
    assert (code, said) == (1, "")
    assert error.splitlines() == [
        "remint: not compared: B is not valid: too few",
        "remint: not compared: B is not valid: too late",
    ]
    code, said, _ = told(*paths, "--anyway")
    assert code == 0
    assert "B is not valid: too few" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "name the results, or give --run twice"),
        (("a", "b", "--run", "x", "--run", "y"), "name the results, or give --run twice"),
        (("--run", "x"), "give --run twice"),
    ],
)
def test_wrong_arguments(arguments: tuple[str, ...], said: str) -> None:
    """Results or two command lines, and not both."""
    code, _, error = told(*arguments)
    assert code == 2
    assert said in " ".join(error.split())


def test_only_one_result(tmp_path: Path) -> None:
    """One result is nothing to compare."""
    code, _, error = told(*written(tmp_path, a=closed(1.0)))
    assert (code, error) == (1, "remint: a comparison needs two results at least\n")


# -- running in turn -----------------------------------------------------------------------------


def double(folder: Path, rate: float, problem: str = "") -> str:
    script = folder / "double.py"
    script.write_text(DOUBLE)
    problems = [problem] if problem else []
    return shlex.join([sys.executable, str(script), str(rate), str(folder / "count"), *problems])


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))


def test_commands_in_turn(tmp_path: Path) -> None:
    """Two command lines are run in turn, each round with a result of its own, and compared."""
    a, b = double(tmp_path, 100.0), double(tmp_path, 200.0)
    code, said, error = told(*("--run", a, "--run", b, "--rounds", 2, "--keep", tmp_path / "kept"))
    assert (code, error) == (0, "")
    assert "A B A B, alternating" in said
    times = [
        read(tmp_path / "kept" / name).circumstances.at[14:16]
        for name in ("a-1.json", "b-1.json", "a-2.json", "b-2.json")
    ]
    assert times == ["00", "01", "02", "03"]


def test_an_invalid_round(tmp_path: Path) -> None:
    """A run that says it is not valid is not compared, and its reason is named."""
    lines = double(tmp_path, 100.0), double(tmp_path, 200.0, "late")
    code, _, error = told(
        *("--run", lines[0], "--run", lines[1], "--rounds", 1, "--keep", tmp_path / "kept")
    )
    assert (code, error) == (1, "remint: not compared: B is not valid: late\n")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("false", "false left no result (exit code 1)"),
        ("/nowhere/at-all", "/nowhere/at-all cannot be run: No such file"),
        ("x --out y", "leave --out out of x --out y"),
        ("x 'y", "No closing quotation"),
        (" ", "a command line is empty"),
    ],
)
def test_commands_that_leave_nothing(tmp_path: Path, line: str, said: str) -> None:
    """A command line that cannot be run in turn is named, with its exit code where it had one."""
    code, _, error = told("--run", line, "--run", line, "--keep", tmp_path / "kept")
    assert code == 1
    assert said in error

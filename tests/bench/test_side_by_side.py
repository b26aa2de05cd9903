"""Servers side by side: rounds in turn, their ratios, and what ends a comparison."""

from __future__ import annotations

import io
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from bench.cli import app
from bench.compare import compared, sides
from bench.driver.load import Closed, Open
from bench.pair import Compared, Sizes, needed, planned
from bench.peers import REQUESTS, Peer
from bench.peers.catalog import PEERS
from bench.report.blocks import Grid
from bench.report.markup import markdown
from bench.report.pairs import blocks
from bench.result import Run, read
from bench.side_by_side import PAGE, Plan, SideBySide
from tests.bench import made
from tests.bench.fake_peer import LIKENESS, FakePeer

SIZES = Sizes(rounds=2, seconds=0.5, in_flight=2, warm_up=0)
OURS = FakePeer("Remint")


@dataclass
class Told:
    """What one command left and said."""

    folder: Path
    complete: bool
    out: str
    err: str
    compared: list[Compared] = field(default_factory=list)

    @property
    def files(self) -> list[Path]:
        return sorted(self.folder.glob("*/*/*.json"))


def told(folder: Path, *requests: str, ours: FakePeer = OURS, **peers: Peer) -> Told:
    """Compare with the peers, by the names of their folders."""
    out, err = (Console(file=io.StringIO(), width=400) for _ in range(2))
    plan = Plan(peers, folder / "cache", folder / "out", requests, SIZES)
    work = SideBySide(plan, ours.ours, out, err)
    complete = work.measured()
    said = [console.file.getvalue() for console in (out, err)]  # type: ignore[attr-defined]
    return Told(folder / "out", complete, *said, compared=work.compared)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """Two servers that answer; the other one is slower and keeps what it issues."""
    like = replace(LIKENESS, persistence="on disk")
    other = FakePeer("Other", delay=0.01, likeness=like, requests=("jwt-to-es256", "new"))
    return told(tmp_path_factory.mktemp("good"), other=other)


def runs(files: list[Path]) -> list[Run]:
    found = [read(path) for path in files]
    assert all(isinstance(one, Run) for one in found)
    return found  # type: ignore[return-value]  # just looked at


@pytest.mark.slow
def test_rounds_alternate(good: Told) -> None:
    """Every round leaves a document of each server, ours first, in the order of their names."""
    assert good.complete, good.err
    found = runs(good.files)
    assert [one.name for one in found] == ["Remint", "Other"] * SIZES.rounds
    times = [one.circumstances.at for one in found]
    assert times == sorted(times)
    assert {path.parent for path in good.files} == {good.folder / "other" / "jwt-to-es256"}


@pytest.mark.slow
def test_both_get_the_same_load(good: Told) -> None:
    """Each run has a closed stage and an open one, at half of what the slower server can bear."""
    loads = {tuple(stage.stage.load for stage in one.stages) for one in runs(good.files)}
    [(first, second)] = loads
    assert first == Closed(SIZES.in_flight)
    assert isinstance(second, Open)
    slowest = SIZES.in_flight / 0.01
    assert 1 <= second.rate <= slowest / 2
    for one in runs(good.files):
        assert all(stage.answered and stage.checked for stage in one.stages)
        assert all(stage.server_cpu["server"] > 0 for stage in one.stages)
        assert all(stage.server_memory["server"] > 0 for stage in one.stages)


@pytest.mark.slow
def test_compare_takes_the_documents(good: Told) -> None:
    """``remint bench compare`` reads them as alternating runs of A and B, and marks what differs
    between the servers."""
    found = compared(*sides(good.files), anyway=True)
    assert found.order.endswith("alternating")
    assert set(found.unlike) == {"persistence"}
    assert {line.load for line in found.lines} > {"2 in flight"}


@pytest.mark.slow
def test_what_is_said(good: Told) -> None:
    """The tables name both servers, every figure, and mark the row that differs; the same stands
    in a page beside the documents."""
    for shown in (good.out, (good.folder / PAGE).read_text()):
        for words in ("Remint", "Other", "tokens a CPU-second", "PSS MiB", "differs: persistence"):
            assert words in shown
        assert "differs: input" not in shown
    assert "round 2 of 2: Other" in good.err


def test_ratios() -> None:
    """The ratio is taken in each round, the other server over ours: its median and its range."""
    ours, theirs = (
        tuple(
            made.run(
                made.measured(Closed(16), rate, seconds=made.SECONDS),
                name=name,
                circumstances=made.at(minute),
            )
            for rate, minute in rounds
        )
        for name, rounds in (
            ("Remint", ((100, 1), (100, 3), (100, 5))),
            ("Other", ((50, 2), (200, 4), (80, 6))),
        )
    )
    found = list(blocks(Compared("jwt-to-es256", ours, theirs, {"Other": 3 * 2**20})))
    figures, ratios = (block for block in found if isinstance(block, Grid) and not block.wordy)
    [row] = [row for row in ratios.rows if row[1] == "tokens a second"]
    assert row[3:] == ("100", "80.0 (50.0 to 200)", "0.8 (0.5 to 2.00)", "no difference shown")
    assert [line[0] for line in figures.rows] == ["Remint", "Other"]
    assert [line[8] for line in figures.rows] == ["-", "3.00"]
    assert "broker 4,000" in figures.rows[0][3]


def test_doubtful_figures_are_marked() -> None:
    """Figures that are not valid are shown as such, with the reason."""
    ours = (made.closed(100, circumstances=made.at(1)),)
    theirs = (made.closed(50, name="Other", circumstances=made.at(2), problems=("it was late",)),)
    found = list(blocks(Compared("jwt-to-es256", ours, theirs, {})))
    [figures] = [one for one in found if isinstance(one, Grid) and "valid" in one.head]
    assert figures.doubted == {1}
    assert "B is not valid: it was late" in markdown(found)


@pytest.mark.slow
def test_failures_are_told_and_the_next_begins(tmp_path: Path) -> None:
    """A peer without its toolchain is skipped, one that does not start is named, a wrong answer
    ends what it was given to: a sentence each, and the others have their turn."""
    gone = FakePeer("Gone", toolchain="Gone needs node, which is not here: install Node.js")
    late = FakePeer("Late", failure="the server ended: no such port")
    wrong = FakePeer("Wrong", right=5)
    found = told(tmp_path, gone=gone, late=late, wrong=wrong)
    assert not found.complete
    assert not found.compared
    assert "gone: skipped: Gone needs node, which is not here: install Node.js\n" in found.err
    assert "late: not compared: the server ended: no such port\n" in found.err
    sentence = "wrong, jwt-to-es256: not compared: Wrong gave a wrong answer: answer"
    assert sentence in found.err
    assert gone.installed == []
    assert late.installed == wrong.installed == [tmp_path / "cache"]
    assert found.out == ""


@pytest.mark.slow
def test_a_server_that_answers_nothing(tmp_path: Path) -> None:
    """A comparison with a server that gives no good answer ends with the kinds of its errors."""
    found = told(tmp_path, other=FakePeer("Other"), ours=FakePeer("Remint", path="nowhere"))
    assert not found.complete
    assert "not compared: Remint answered none of" in found.err
    assert "(status 404: " in found.err


@pytest.mark.slow
def test_a_request_that_one_cannot_be_asked(tmp_path: Path) -> None:
    """What only one of the servers knows is left out with a sentence."""
    other = FakePeer("Other", requests=("client-to-rs256",))
    found = told(tmp_path, "client-to-rs256", other=other)
    assert "other: left out: the servers cannot both be asked for client-to-rs256" in found.err
    assert not found.complete


def test_requests_are_enough() -> None:
    """More requests are prepared than either stage can begin, whatever the server's rate."""
    closed_stage, open_stage = planned(1234.0, Sizes(seconds=10))
    assert open_stage.load == Open(620.0)
    assert planned(0.3, Sizes())[1].load == Open(1.0)
    number = needed(2000.0, (closed_stage, open_stage))
    assert number > 2000 * 12 + 620 * 6
    assert number < 2 * (2000 * 12 + 620 * 6)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nobody",), "there is no peer nobody"),
        (("keycloak", "--request", "x"), "there is no request x"),
    ],
)
def test_unknown_names(arguments: tuple[str, ...], words: str) -> None:
    """A peer or a request that there is not is refused before anything is installed, with those
    that there are."""
    result = CliRunner().invoke(app, ["peers", *arguments])
    assert result.exit_code == 2
    assert words in " ".join(result.output.replace("│", " ").split())


def test_the_help_names_every_peer() -> None:
    """Whoever asks for help reads every name that can be given."""
    text = " ".join(CliRunner().invoke(app, ["peers", "--help"]).output.split())
    assert all(name in text for name in PEERS)
    assert set(REQUESTS) >= {"jwt-to-es256", "session-to-saml2"}

"""The report: a page that shows what the results hold, marks what does not count, adds nothing."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from lxml import etree, html
from PIL import Image
from typer.testing import CliRunner

from bench.cli import app
from bench.driver.load import Closed, Open
from bench.report.content import content
from bench.report.gather import MAX_BYTES, gathered
from bench.report.groups import WRONG, Group, groups
from bench.report.limits import ran_out
from bench.report.markup import markdown
from bench.report.words import duration, figure, plain, spread
from bench.report.writing import write_report
from bench.result import NoResult, Row, Run, Table, write
from tests.bench.made import LIKENESS, at, closed, measured, run, steps, table

HOSTILE = '<script>alert(1)</script> $x_{ | `b` "q" \x1b[31m\x00 é 中 \U0001f600'


def written(folder: Path, *documents: Run | Table) -> Path:
    for number, document in enumerate(documents):
        write(folder / "results" / f"{number}.json", document)
    return folder / "results"


def reported(folder: Path, *documents: Run | Table) -> tuple[str, Path]:
    """The text of the page, as a reader sees it, and its folder."""
    page = write_report([written(folder, *documents)], folder / "report")
    return " ".join(html.document_fromstring(page.read_text()).text_content().split()), page.parent


def everything() -> list[Run | Table]:
    """Documents for one plot of each kind at least."""
    peer = replace(LIKENESS, client_authentication="HMAC of a secret")
    message = [replace(stage, queued=10) for stage in steps().stages]
    return [
        steps(),
        run(*message, transport="amqp"),
        *(closed(1500.0 + n, request="jwt", circumstances=at(n)) for n in (1, 3)),
        *(
            closed(500.0 + n, request="jwt", circumstances=at(n), name="a peer", likeness=peer)
            for n in (2, 4)
        ),
        table(
            Row("sign RS256", "µs", (310.0, 330.0), (300.0, 310.0), facts={"algorithm": "RS256"}),
            Row("verify RS256", "µs", (31.0, 33.0), facts={"algorithm": "RS256"}),
            case="crypto",
        ),
        table(
            Row("on Redis", "µs", (400.0, 420.0), (200.0, 200.0), 2.5, {"cpu_redis": 130.0}),
            Row("on memory", "µs", (300.0, 320.0), (200.0, 200.0), 1.4),
        ),
        table(
            Row("1", "µs", (400.0,), facts={"workers": 1, "tokens_per_second": 2300.0}),
            Row("2", "µs", (410.0,), facts={"workers": 2, "tokens_per_second": 4100.0}),
            case="workers",
        ),
    ]


# -- the page ------------------------------------------------------------------------------------


def test_plots(tmp_path: Path) -> None:
    """With data for every kind none is left out; each is a PNG of a laptop's width and an SVG,
    and stands in the page itself, which loads nothing."""
    said, folder = reported(tmp_path, *everything())
    assert "left out, for want of data" not in said
    kinds = {"latency-by-rate", "latency-distribution", "queue-by-rate", "workers"}
    kinds |= {"by-algorithm", "beside-floor", "cpu-by-process", "side-by-side"}
    pictures = sorted((folder / "plots").glob("*.png"))
    assert {re.sub(r"-\d+$", "", path.stem) for path in pictures} == kinds
    for path in pictures:
        with Image.open(path) as picture:
            picture.load()
            assert 600 <= picture.width <= 1600
            assert 200 <= picture.height <= 1600
            assert len(picture.convert("RGB").getcolors(1 << 20) or ()) > 10
        root = etree.parse(path.with_suffix(".svg")).getroot()
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
    page = (folder / "index.html").read_text()
    assert page.count('src="data:image/svg+xml;base64,') == len(pictures)
    assert re.findall(r'(?:src|href)="(?:https?:)?//', page) == []
    for link in re.findall(r'href="([^"]+)"', page):
        assert (folder / link).is_file()
    for link in re.findall(r"\]\((plots/[^)]+)\)", (folder / "report.md").read_text()):
        assert (folder / link).is_file()


def test_figures_of_a_run(tmp_path: Path) -> None:
    """Rate, percentiles, CPU of each process, errors, what was checked and how to repeat it."""
    stage = measured(Open(200.0), 200.0, 0.004, errors={"status 503": 12}, caches={"jwks": 0.25})
    said, _ = reported(tmp_path, run(stage))
    for figure_ in ("200/s, poisson", "4.00 ms", "16.0 ms", "status 503 12", "2,000 of 2,000"):
        assert figure_ in said
    for figure_ in ("broker 2,000 µs", "redis 500 µs", "jwks 25 %", "0.1 %"):
        assert figure_ in said
    for word in ("0123456789ab", "seed 7", "--steps 100,200", "a processor", "python: 3.11.2"):
        assert word in said
    assert "store: redis" in said
    assert duration(stage.lag.percentile(99.0)) in said


def test_figures_of_a_case(tmp_path: Path) -> None:
    """Medians with their range on both sides, the ratio of the rounds, target and formula."""
    row = Row("on Redis", "µs", (400.0, 450.0, 420.0), (200.0, 180.0, 200.0), 2.5, {"store": "r"})
    said, _ = reported(tmp_path, table(row))
    for figure_ in ("420 (400 to 450)", "200 (180 to 200)", "2.10 (2.00 to 2.50)", "2.50"):
        assert figure_ in said
    assert "The floor: echo + signature." in said


def test_plots_without_data(tmp_path: Path) -> None:
    """What cannot be drawn is named, with what it would need."""
    said, folder = reported(tmp_path, closed(100.0, cpu={}))
    assert [path.name for path in (folder / "plots").glob("*.png")] == ["latency-distribution.png"]
    assert "Latency against offered rate: needs a run over HTTP with two stages" in said
    assert "CPU for each token by process: needs a run that watched" in said


def test_bars_of_very_different_lengths(tmp_path: Path) -> None:
    """Where a bar would be too short to be seen all are points, and the scale shows it."""
    written_ = {}
    for name, least in (("bars", 300.0), ("points", 2.0)):
        rows = Row("a", "µs", (30_000.0,), (29_000.0,), 1.1), Row("b", "µs", (least,), (least,))
        _, folder = reported(tmp_path / name, table(*rows))
        written_[name] = (folder / "plots/beside-floor.svg").read_text()
    assert "<!-- 10 -->" in written_["points"]
    assert "<!-- 10 -->" not in written_["bars"]
    assert "<!-- 0 -->" in written_["bars"]


def test_the_same_results_give_the_same_page(tmp_path: Path) -> None:
    """Nothing in the page depends on when or where it was made."""
    place = written(tmp_path, *everything()[:3])
    pages = [write_report([place], tmp_path / name).read_bytes() for name in ("one", "two")]
    assert pages[0] == pages[1]


# -- what does not count -------------------------------------------------------------------------


def test_an_invalid_run(tmp_path: Path) -> None:
    """It is marked with its reason, and is in no headline."""
    bad = closed(9000.0, name="Too fast", problems=("the driver was busy",))
    said, folder = reported(tmp_path, closed(1500.0), bad)
    headline = said.split("At a glance")[1].split("Plots")[0]
    assert "Remint" in headline
    assert "Too fast" not in headline
    assert "the driver was busy" in said.split("Not valid")[1]
    page = html.document_fromstring((folder / "index.html").read_text())
    marked = [row.text_content() for row in page.xpath("//tr[@class='doubted']")]
    shown = figure(bad.stages[0].rate)
    assert any(shown in row for row in marked)
    assert not any("Remint" in row for row in marked)


def test_a_load_that_was_too_much(tmp_path: Path) -> None:
    """A search ends at a load whose figures do not count; the loads below it do, unless one answer
    was wrong."""
    below, above = measured(Open(100.0), 100.0), measured(Open(200.0), 90.0, 2.0)
    found = [
        groups([run(below, replace(above, problems=(problem,)))])[0]
        for problem in ("9 of 2000 requests failed", f"{WRONG}a repeated id")
    ]
    assert [group.valid for group in found] == [True, False]
    assert {group.best.load for group in found} == {Open(100.0)}
    said, _ = reported(tmp_path, *(run for group in found for run in group.runs))
    assert "9 of 2000 requests failed" in said.split("Not valid")[1]


def test_only_invalid_runs(tmp_path: Path) -> None:
    """Then there is nothing to sum up, and the page says so."""
    said, _ = reported(tmp_path, closed(100.0, problems=("errors",)), run())
    assert "None of the runs is valid" in said
    assert "the run has no stage" in said


def test_an_invalid_case(tmp_path: Path) -> None:
    """The reason stands beside it."""
    row = Row("on Redis", "µs", (400.0,), (200.0,))
    said, _ = reported(tmp_path, table(row, problems=("a wrong answer",)))
    assert "a wrong answer" in said.split("Not valid")[1]


def test_invalid_bars_are_grey(tmp_path: Path) -> None:
    """A bar that does not count has none of the colours of those that do."""
    blue = (0, 0x72, 0xB2)
    found = []
    for problems in ((), ("a reason",)):
        folder = tmp_path / str(len(problems))
        row = Row("on Redis", "µs", (400.0,), (200.0,))
        _, report = reported(folder, table(row, problems=problems))
        with Image.open(report / "plots/beside-floor.png") as picture:
            colours = picture.convert("RGB").getcolors(1 << 20) or ()
        found.append(sum(number for number, colour in colours if colour == blue))
    assert found[0] > 5000
    assert found[1] == 0


# -- saturation, limits, likeness ----------------------------------------------------------------


def only(*runs: Run) -> Group:
    (group,) = groups(runs)
    return group


def test_saturation() -> None:
    """It begins at the lowest offered rate that was not kept up with; the headline is below."""
    group = only(steps())
    assert group.saturated_from == 400.0
    assert group.best.load == Open(200.0)
    assert group.fullest.load == Open(400.0)
    assert only(steps(saturated=False)).saturated_from is None


def test_rounds_are_told_from_other_runs() -> None:
    """Runs alike are rounds of one group; another store, request or commit is another group."""
    rounds = [closed(100.0 + n, circumstances=at(n)) for n in range(3)]
    others = [
        closed(100.0, circumstances=at(4, configuration={"store": "memory"})),
        closed(100.0, circumstances=at(5, commit="another")),
        closed(100.0, request="password-to-rs256"),
        closed(100.0, transport="amqp"),
    ]
    found = groups([*rounds, *others])
    assert sorted(len(group.runs) for group in found) == [1, 1, 1, 1, 3]
    warmer = at(6, machine={**rounds[0].circumstances.machine, "frequency": "3000 MHz"})
    assert len(only(*rounds, closed(90.0, circumstances=warmer)).runs) == 4


def test_rounds_within_a_run() -> None:
    """Stages of the same load are rounds of it, wherever they are."""
    stages = [measured(Open(rate), rate) for rate in (100.0, 200.0, 100.0)]
    points = only(run(*stages), run(*stages, circumstances=at(1))).points
    assert [(point.load, len(point.rounds)) for point in points] == [
        *((Open(100.0), 4), (Open(200.0), 2)),
    ]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"driver_cpu": 0.95}, "The driver ran out"),
        ({"steal": 0.2}, "The host gave 20 %"),
        ({"server_cpu": {}}, "no process of the server was watched"),
        ({"server_cpu": {"broker": 9.6}}, "The process broker ran out: it took 0.96 of a core"),
        ({"server_cpu": {"broker": 12.0, "redis": 5.0}}, "The machine ran out of its 2 cores"),
        ({"server_cpu": {"broker": 5.0, "redis": 1.0}}, "No processor ran out"),
    ],
)
def test_what_ran_out(changes: dict[str, object], said: str) -> None:
    """The driver, the host, the machine, a process, or none of them, by the CPU of each."""
    stage = replace(measured(Closed(16), 1000.0), seconds=10.0, **changes)  # type: ignore[arg-type]
    assert said in ran_out(only(run(stage)))


def test_two_workers_have_two_cores() -> None:
    """A broker of two workers has run out only when both of them have."""
    given = at(0, configuration={"workers": "2"}, machine={"cores usable": 8})
    for cpu, said in ((10.0, "No processor ran out"), (19.5, "as much as its 2 workers can")):
        stage = replace(measured(Closed(16), 1000.0, cpu={"broker": cpu}), seconds=10.0)
        assert said in ran_out(only(run(stage, circumstances=given)))


def test_a_limit_that_was_not_reached() -> None:
    """A server that kept up with everything has not shown its limit."""
    assert "its limit lies higher" in ran_out(only(steps(saturated=False)))
    assert "its limit lies higher" not in ran_out(only(steps()))


def test_likeness_beside_ratios(tmp_path: Path) -> None:
    """Beside each ratio stands what each server does for its token, with the differences named."""
    said, _ = reported(tmp_path, *everything()[2:6])
    part = said.split("Ratios: jwt, HTTP")[1].split("What ran out first")[0]
    assert "differs: client authentication" in part
    assert "HMAC of a secret" in part
    assert "differs: persistence" not in part
    # 5 CPU seconds for ten seconds of 1,501 or 502 tokens, and so on, round by round.
    low, high = 1501 / 502, 1503 / 504
    assert figure(low) in part or figure(high) in part


# -- documents of others -------------------------------------------------------------------------


def test_hostile_names(tmp_path: Path) -> None:
    """Markup, formulas, control characters and signs that no font has stay text, or are dropped."""
    given = at(0, command=HOSTILE, configuration={HOSTILE: HOSTILE}, machine={HOSTILE: HOSTILE})
    likeness = replace(LIKENESS, notes=HOSTILE)
    stages = (
        measured(Open(1.0), 1.0, cpu={HOSTILE: 1.0}, problems=(HOSTILE,)),
        measured(Open(2.0), 2.0, cpu={HOSTILE: 1.0}, errors={HOSTILE: 1}, queued=3),
    )
    named = {"name": HOSTILE, "request": HOSTILE, "circumstances": given, "likeness": likeness}
    row = Row(HOSTILE, HOSTILE, (4.0,), (2.0,), 1.0, {HOSTILE: HOSTILE, "algorithm": HOSTILE})
    other = Row(HOSTILE, HOSTILE, (4.0,), (2.0,), 1.0, {"cpu_" + HOSTILE: 1.0})
    documents = [
        run(*stages, transport="http", **named),  # type: ignore[arg-type]
        run(*stages, transport=HOSTILE, **named),  # type: ignore[arg-type]
        closed(10.0),
        table(row, other, case=HOSTILE, title=HOSTILE, formula=HOSTILE, problems=(HOSTILE,)),
    ]
    said, folder = reported(tmp_path, *documents)
    page = (folder / "index.html").read_text()
    assert "<script" not in page
    assert "<script>alert(1)</script>" in said
    assert "\x00" not in page
    assert "\x1b" not in page
    text = (folder / "report.md").read_text()
    assert [line for line in text.splitlines() if "<script" in line and line[:4].strip()] == []
    assert "\x1b" not in text
    for path in (folder / "plots").glob("*.svg"):
        assert b"<script" not in path.read_bytes()
        etree.parse(path)


def test_files_that_are_no_results(tmp_path: Path) -> None:
    """They are listed with their reason, and the rest is reported."""
    place = written(tmp_path, closed(100.0))
    document = json.loads((place / "0.json").read_text())
    (place / "garbage.json").write_bytes(b"\xff\x00")
    (place / "other.json").write_text('{"format": "something/1"}')
    for name, change in {
        "text": {"name": 5},
        "nan": {"stages": [{**document["stages"][0], "driver_cpu": float("nan")}]},
        "short": {"stages": [{}]},
        "load": {"stages": [{**document["stages"][0], "stage": {"load": {"model": "open"}}}]},
    }.items():
        (place / f"{name}.json").write_text(json.dumps({**document, **change}))
    found = gathered([place])
    assert (len(found.runs), len(found.unread)) == (1, 6)
    assert "something/1" in markdown(content(found))


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    """It is not read at all."""
    place = written(tmp_path, closed(100.0))
    with (place / "large.json").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    (said,) = gathered([place]).unread
    assert said.endswith("large.json is larger than 64 MiB")


@pytest.mark.parametrize("problem", ["missing", "empty", "garbage"])
def test_nothing_to_report(tmp_path: Path, problem: str) -> None:
    """Without a single result there is a sentence, exit code 1, and no page."""
    place = tmp_path / problem
    if problem != "missing":
        place.mkdir()
    if problem == "garbage":
        (place / "a.json").write_text("{}")
    with pytest.raises(NoResult):
        gathered([place])
    ran = CliRunner().invoke(app, ["report", str(place), "--out", str(tmp_path / "report")])
    assert ran.exit_code == 1
    assert ran.stderr.startswith("remint: ")
    assert not (tmp_path / "report").exists()


def test_the_command(tmp_path: Path) -> None:
    """The page stands below the folder of the results, and its name is said."""
    place = written(tmp_path, table(Row("a", "µs", (1.0,))))
    ran = CliRunner().invoke(app, ["report", str(place)])
    assert (ran.exit_code, ran.stdout) == (0, f"wrote {place / 'report' / 'index.html'}\n")
    assert (place / "report" / "index.html").is_file()
    again = CliRunner().invoke(app, ["report", str(place / "0.json"), str(place)])
    assert again.exit_code == 0


# -- words ---------------------------------------------------------------------------------------


def test_words() -> None:
    """Three digits, the unit that fits, and one line however long or odd the name."""
    seconds = (0.0, 0.00085, 0.0123, 0.9996, 2.1)
    assert [*map(duration, seconds)] == ["-", "850 µs", "12.3 ms", "1.00 s", "2.10 s"]
    assert [*map(figure, (0, 0.01234, 1.234, 12.34, 1234.5))] == [
        *("0", "0.0123", "1.23", "12.3", "1,234"),
    ]
    assert spread((3.0, 1.0, 2.0)) == "2.00 (1.00 to 3.00)"
    assert spread((2.0, 2.0)) == "2.00"
    assert plain("a\n\x1bb" + "c" * 100) == "a b" + "c" * 56 + "…"

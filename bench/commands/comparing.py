"""``remint bench compare``: two runs, or two sides of alternating runs, and their ratios."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from bench.compare import Comparison

RESULTS = Path("bench-results")
ROUNDS = 3
MARKDOWN = (".md", ".markdown")

Places = Annotated[
    list[Path] | None,
    typer.Argument(
        help="A and B, each a result or a folder of results; or results A1 B1 A2 B2 and so on.",
        metavar="A B [A2 B2…]",
        show_default=False,
    ),
]
Lines = Annotated[
    list[str] | None,
    typer.Option(
        "--run",
        metavar='"remint bench http …"',
        help="A command line to run in turn with the other; give it twice, without --out.",
        show_default=False,
    ),
]
Rounds = Annotated[int, typer.Option(min=1, max=1000, help="How often each --run is run.")]
Keep = Annotated[
    Path | None,
    typer.Option(help="Folder for the results of --run.", show_default="bench-results/compare-…"),
]
Anyway = Annotated[
    bool,
    typer.Option("--anyway", help="Compare although machines differ or figures are not valid."),
]
Out = Annotated[
    Path | None,
    typer.Option(help="File for it too: .md for Markdown, else JSON.", show_default=False),
]


def add_to(app: typer.Typer) -> None:
    app.command("compare")(compare)


def compare(
    places: Places = None,
    run: Lines = None,
    rounds: Rounds = ROUNDS,
    keep: Keep = None,
    anyway: Anyway = False,
    out: Out = None,
) -> None:
    """Set two runs of like load against each other: median, range, and the ratio B over A.

    It refuses other machines, other loads and figures that are not valid, and names whatever else
    is not alike.
    """
    from bench.alternating import NotRun, in_turn
    from bench.compare import NotAlike, compared, sides
    from bench.result import NoResult

    if bool(run) == bool(places):
        raise typer.BadParameter("name the results, or give --run twice")
    if run and len(run) != 2:
        raise typer.BadParameter("give --run twice: once for A and once for B")
    try:
        if run:
            folder = keep or RESULTS / f"compare-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
            a, b = in_turn(run, rounds, folder, lambda said: print(said, flush=True))
            found = compared(a, b, anyway=anyway)
        else:
            found = compared(*sides(places or []), anyway=anyway)
    except NotAlike as error:
        for reason in error.reasons:
            print(f"remint: not compared: {reason}", file=sys.stderr)
        raise typer.Exit(1) from None
    except (NoResult, NotRun) as error:
        print(f"remint: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    _tell(found, out)


def _tell(found: Comparison, out: Path | None) -> None:
    from rich.console import Console

    from bench.report.comparison import blocks, document
    from bench.report.console import show
    from bench.report.markup import markdown

    told = list(blocks(found))
    show(told, Console())
    if out:
        text = markdown(told) if out.suffix in MARKDOWN else document(found) + "\n"
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8")
        print(f"wrote {out}")

"""``remint bench report``: one page with tables and plots out of result files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

FOLDER = "report"

Places = Annotated[
    list[Path],
    typer.Argument(help="Results, or folders of results.", metavar="DIR|FILE…", show_default=False),
]
Out = Annotated[
    Path | None,
    typer.Option(
        help="Folder for the page; report below the folder of the results if none is named.",
        show_default=False,
    ),
]


def add_to(app: typer.Typer) -> None:
    app.command("report")(report)


def report(places: Places, out: Out = None) -> None:
    """Write a page of what was measured: index.html, report.md, and plots as SVG and PNG.

    It reads every run and every table of a case below the folders. What is not valid is shown as
    such and left out of every summary.
    """
    from bench.report.writing import write_report
    from bench.result import NoResult

    folder = out or (places[0] if places[0].is_dir() else places[0].parent) / FOLDER
    try:
        page = write_report(places, folder)
    except NoResult as error:
        print(f"remint: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    print(f"wrote {page}")

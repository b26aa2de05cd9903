"""``remint bench cases`` and ``remint bench list``: what Remint costs, each case by its floor."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

RESULTS = Path("bench-results")
SEED = 1

Names = Annotated[list[str] | None, typer.Argument(help="Cases; all if none is named.")]
Full = Annotated[
    bool, typer.Option("--full/--quick", help="The sizes of the promises: hours. Quick: minutes.")
]
Out = Annotated[
    Path | None, typer.Option(help="Folder for a JSON document a case.", show_default=False)
]
Resume = Annotated[bool, typer.Option(help="Leave out cases that have a document in --out.")]
Given = Annotated[
    list[str] | None,
    typer.Option("--option", "-o", help="NAME=VALUE of the named case: see the list."),
]
Seed = Annotated[int, typer.Option(help="Of everything that is drawn.")]


def add_to(app: typer.Typer) -> None:
    app.command("cases")(cases)
    app.command("list")(listed)


def cases(
    names: Names = None,
    full: Full = False,
    out: Out = None,
    resume: Resume = False,
    option: Given = None,
    seed: Seed = SEED,
) -> None:
    """Measure our own cases in rounds, each beside its floor, and keep a document of each.

    A case whose server is not installed is skipped. A wrong answer ends the run with exit code 1.
    """
    from bench.case import NotAnOption
    from bench.running import NoSuchCase, chosen, measured

    if resume and out is None:
        raise typer.BadParameter("--resume needs the --out of the run that it goes on with")
    folder = out or RESULTS / datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    folder.mkdir(parents=True, exist_ok=True)  # what cannot be kept need not be measured
    try:
        plan = chosen(names or [], full=full, given=_pairs(option or []))
    except (NoSuchCase, NotAnOption) as error:
        raise typer.BadParameter(str(error)) from None
    try:
        all_right = measured(plan, folder, resume=resume, seed=seed)
    except NotAnOption as error:
        raise typer.BadParameter(str(error)) from None
    if not all_right:
        raise typer.Exit(1)


def listed() -> None:
    """Name the cases: what each measures, beside what, and its options at both sizes."""
    from bench.running import described

    described()


def _pairs(given: list[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in given]
    if not all(equals for _, equals, _ in pairs):
        raise typer.BadParameter("--option takes NAME=VALUE")
    return {name: value for name, _, value in pairs}

"""What a load test leaves: a document, tables, and an exit code."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.driver.loading import Outcome
    from bench.result import Run
    from bench.target import Likeness

RESULTS = Path("bench-results")
INTERRUPTED = 130


def run_of(
    name: str,
    request: str,
    outcome: Outcome,
    seed: int,
    facts: Mapping[str, str],
    transport: str,
    likeness: Likeness | None = None,
) -> Run:
    """The document."""
    from bench.machine import circumstances, command_line
    from bench.result import Run

    return Run(
        name=name,
        request=request,
        circumstances=circumstances(command_line(), seed, facts),
        stages=outcome.stages,
        likeness=likeness,
        transport=transport,
    )


def room(out: Path | None) -> None:
    """Make the folder of the document, before anything is measured. Raises OSError."""
    (out or RESULTS / "document").parent.mkdir(parents=True, exist_ok=True)


def kept(run: Run, out: Path | None) -> None:
    """Written to ``out``, else below bench-results. Raises OSError."""
    from bench.result import write

    path = out or RESULTS / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{_file_name(run.name)}.json"
    write(path, run)
    print(f"wrote {path}", file=sys.stderr)


def told(run: Run, outcome: Outcome) -> int:
    """Shown on standard output; the exit code.

    0: the figures are valid; of a search, that of one stage at least is. 1: they are not, or an
    answer was wrong. 130: somebody ended it.
    """
    from bench.driver.run import WRONG
    from bench.driver.table import console, load, reasons, tables

    shown = console()
    for table in tables(run) if run.stages else ():
        shown.print(table)
    for kind, said in outcome.refusals.items():
        if said:
            shown.print(f"the first {kind} said: {said}", markup=False, highlight=False)
    for reason in reasons(run):
        shown.print(f"not valid: {reason}", style="bold", markup=False, highlight=False)
    wrong = any(WRONG in problem for stage in run.stages for problem in stage.problems)
    if outcome.stopped and not wrong:
        shown.print("stopped before its end: what was measured until then")
        return INTERRUPTED
    if outcome.found is not None and not wrong:
        highest = outcome.found.highest
        said = "no rate" if highest is None else load(highest)
        shown.print(f"kept up with {said}; then {outcome.found.reason}", markup=False)
        return 0 if highest is not None else 1
    return 0 if run.stages and run.valid else 1


def _file_name(name: str) -> str:
    return "".join(one if one.isalnum() or one in ".-" else "-" for one in name)

"""``remint store copy``: everything in a store moves to another one."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Iterator
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from adapters.cli import options
from adapters.keys.wrapping import wrappers_of
from adapters.settings import Settings
from adapters.stores import copying
from adapters.stores.copying import Report, Step
from adapters.telemetry import log

COMPLETE = "the copy is complete; set store.url to TO and start the brokers"
CHANGED = "FROM was written to meanwhile: stop its brokers, then run this again to catch up"
DIFFERS = "TO differs from FROM; run this again"

_LINE = "{:<14} {:>11} {:>11} {:>11} {:>11}  {}"
DIGEST_DIGITS = 16

_Source = Annotated[
    str, typer.Argument(metavar="FROM", help="URL of the store to copy.", show_default=False)
]
_Target = Annotated[
    str, typer.Argument(metavar="TO", help="URL of an empty store.", show_default=False)
]
_LeaveBehind = Annotated[
    bool,
    typer.Option(
        "--leave-behind",
        help="Go on although one-time tokens that an earlier version saw spent cannot move.",
    ),
]


def add_to(app: typer.Typer) -> None:
    app.command("copy")(copy_store)


def copy_store(
    source: _Source,
    target: _Target,
    leave_behind: _LeaveBehind = False,
    config: options.Config = None,
) -> None:
    """Copy a store into an empty one, compare the two, and open the new one to brokers.

    Stop the brokers on FROM first. A copy that was broken off goes on when it is run again.
    """
    settings = options.settings(config)
    log.configure("warning", settings.log.format)
    with _shown() as told:
        report = asyncio.run(_copied(settings, source, target, told, leave_behind=leave_behind))
    for line in _table(report):
        print(line)
    if report.complete:
        print(COMPLETE)
        return
    print(CHANGED if report.source_changed else DIFFERS, file=sys.stderr)
    raise typer.Exit(1)


async def _copied(
    settings: Settings, source: str, target: str, told: copying.Progress, *, leave_behind: bool
) -> Report:
    """Raises StoreRefused, WrappingKeyError, Unavailable."""
    try:
        return await copying.copy(
            source,
            target,
            wrappers_of(settings),
            realms=settings.all_realms,
            leave_behind=leave_behind,
            progress=told,
        )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _table(report: Report) -> Iterator[str]:
    yield _LINE.format("kind", "in FROM", "in TO", "written", "removed", "SHA-256 of all")
    for kind in report.kinds:
        digest = kind.source_digest[:DIGEST_DIGITS] if kind.agrees else "differs"
        numbers = (kind.in_source, kind.in_target, kind.written, kind.removed)
        yield _LINE.format(kind.name, *(f"{number:,}" for number in numbers), digest)
    behind = report.left_behind
    if behind.sessions:
        yield (
            f"{behind.sessions:,} sessions written by an earlier version stay behind: "
            "their users log in again"
        )
    if behind.spent:
        yield (
            f"{behind.spent:,} one-time tokens that an earlier version saw spent stay behind: "
            "each may be used once more"
        )


@contextlib.contextmanager
def _shown() -> Iterator[copying.Progress]:
    """A bar for each step on a terminal, else a line for each step that ended."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines
        return
    columns = (
        TextColumn("{task.description:<22}"),
        BarColumn(),
        TextColumn("{task.completed:>11,.0f}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as bars:
        tasks: dict[tuple[str, str], TaskID] = {}

        def told(step: Step) -> None:
            name = (step.name, step.kind)
            if name not in tasks:
                tasks[name] = bars.add_task(f"{step.name} {step.kind}", total=step.total)
            # what was counted before may have changed since, and nothing is a full bar too
            total = step.done if step.ended else step.total
            bars.update(tasks[name], completed=step.done, total=total)

        yield told


def _lines(step: Step) -> None:
    if step.ended:
        print(f"{step.name} {step.kind}: {step.done:,}", file=sys.stderr)

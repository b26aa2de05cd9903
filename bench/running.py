"""Cases one after the other: measured, shown, and kept as documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from bench.case import Case, Missing, NotAnOption, Say, Stages
from bench.catalog import CASES
from bench.driver.table import reasons, tables
from bench.machine import circumstances, command_line
from bench.printed import console, shown
from bench.processes import NotHere, Watch, used
from bench.result import Circumstances, NoResult, Row, Run, Table, read, write
from bench.served import NotServed
from bench.target import NotPrepared, WrongAnswer
from bench.validity import MAX_STEAL

FAILURES = (NotServed, NotPrepared, NotHere)
"""What a case raises when a server did not start or was not as it must be."""


class NoSuchCase(Exception):
    """A name that no case has."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A case with the options that it is measured with."""

    case: Case[Any]
    options: Any


def chosen(names: Sequence[str], *, full: bool, given: Mapping[str, str]) -> list[Planned]:
    """The named cases, or all of a size. Raises NoSuchCase and NotAnOption."""
    known = {case.name: case for case in CASES}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise NoSuchCase(f"there is no case {unknown[0]}: {', '.join(known)}")
    if given and len(names) != 1:
        raise NotAnOption("name one case: options belong to a case")
    cases = [known[name] for name in names] or [
        case for case in CASES if full or case.quick is not None
    ]
    return [Planned(case, case.options(full=full, given=dict(given))) for case in cases]


def measured(plan: Sequence[Planned], folder: Path, *, resume: bool, seed: int) -> bool:
    """Measure the cases; whether all that could be measured was. What one case found is written at
    once. A case that cannot be measured is named, and the next one begins; a wrong answer ends it
    all."""
    out, complete = console(), True
    out.print("CPU time, medians of rounds in turn, and in brackets the middle half of them")
    for number, planned in enumerate(plan, 1):
        path = folder / f"{planned.case.name}.json"
        if resume and _is_there(path):
            out.print(f"\n{planned.case.name}: already in {path}")
            continue
        try:
            _measure(planned, path, out, f"{number} of {len(plan)}", seed)
        except Missing as missing:
            out.print(f"\n{planned.case.name}: skipped: {missing}")
        except FAILURES as failure:
            out.print(f"\n{planned.case.name}: could not be measured: {failure}", markup=False)
            complete = False
        except WrongAnswer as wrong:
            out.print(f"\n{planned.case.name}: counts for nothing: {wrong}", markup=False)
            return False
    out.print(f"\nDocuments are in {folder}", soft_wrap=True)
    return complete


def described() -> None:
    """The cases with their options, on standard output."""
    out = console()
    for case in CASES:
        out.print(f"{case.name}: {case.title}", markup=False, highlight=False)
        out.print(f"    floor: {case.formula}", markup=False, highlight=False)
        out.print(f"    quick: {_words(case.quick)}", markup=False, highlight=False)
        out.print(f"    full: {_words(case.full)}", markup=False, highlight=False)


def _words(options: Any) -> str:
    if options is None:
        return "left out"
    return " ".join(f"{name}={value}" for name, value in asdict(options).items())


def _is_there(path: Path) -> bool:
    """A document that was cut short is not."""
    try:
        read(path)
    except (OSError, NoResult):
        return False
    return True


def _measure(planned: Planned, path: Path, out: Console, place: str, seed: int) -> None:
    case = planned.case
    configuration = {name: str(value) for name, value in asdict(planned.options).items()}
    about = circumstances(command_line(), seed, configuration, servers=case.servers)
    watch = Watch({})
    before = watch.look()
    with _Progress(out, f"{place}: {case.name}") as say:
        found = tuple(case.rows(planned.options, say))
    steal = used(before, watch.look()).steal
    rows = tuple(one for one in found if isinstance(one, Row))
    table = Table(case.name, case.title, case.formula, about, rows, tuple(_problems(steal)))
    for stages in found:
        if isinstance(stages, Stages):
            _keep(stages, path.with_name(f"{case.name}-{stages.transport}.json"), about, out)
    out.print()
    out.print(shown(table))
    for problem in table.problems:
        out.print(f"not valid: {problem}")
    write(path, table)  # last: a case without it is measured again


def _keep(stages: Stages, path: Path, about: Circumstances, out: Console) -> None:
    run = Run(
        name="Remint",
        request=stages.request,
        circumstances=about,
        stages=stages.measured,
        likeness=stages.likeness,
        transport=stages.transport,
    )
    out.print()
    for table in tables(run):
        out.print(table)
    for reason in reasons(run):
        out.print(f"not valid: {reason}", markup=False, highlight=False)
    write(path, run)


def _problems(steal: float) -> Iterator[str]:
    if steal > MAX_STEAL:
        yield (
            f"the host gave {steal:.0%} of the machine's time to others, and no more than "
            f"{MAX_STEAL:.0%} is allowed"
        )


class _Progress:
    """A line with what is measured now, where there is a terminal."""

    def __init__(self, out: Console, words: str) -> None:
        self._words = words
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            console=out,
            transient=True,
            disable=not out.is_terminal,
        )

    def __enter__(self) -> Say:
        self._bar.start()
        task = self._bar.add_task(self._words, total=None)
        return lambda words: self._bar.update(task, description=f"{self._words}: {words}")

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

"""The documents below some folders, and what could not be read of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bench.result import NoResult, Run, Table, read

MAX_BYTES = 64 * 2**20
"""Of one document. A stage takes some kilobytes; what is larger is something else."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """Results in the order of their time of day."""

    runs: tuple[Run, ...]
    tables: tuple[Table, ...]
    unread: tuple[str, ...] = ()
    """A sentence for each file that is no result."""


def gathered(places: Iterable[Path]) -> Gathered:
    """What the files, and the ``.json`` files below the folders, hold.

    Raises NoResult if a place is not there, or if none of the files is a result.
    """
    runs: list[Run] = []
    tables: list[Table] = []
    unread: list[str] = []
    for path in _files(places):
        try:
            document = _document(path)
        except (NoResult, OSError) as error:
            unread.append(str(error))
            continue
        if isinstance(document, Run):
            runs.append(document)
        else:
            tables.append(document)
    if not runs and not tables:
        raise NoResult("; ".join(unread) or "there is no .json file in what was named")
    return Gathered(
        tuple(sorted(runs, key=lambda run: run.circumstances.at)),
        tuple(sorted(tables, key=lambda table: table.case)),
        tuple(unread),
    )


def _files(places: Iterable[Path]) -> list[Path]:
    """Each once, sorted, so that the same folder always gives the same page."""
    found: dict[Path, Path] = {}
    for place in places:
        if not place.exists():
            raise NoResult(f"there is no {place}")
        inside = sorted(place.rglob("*.json")) if place.is_dir() else [place]
        found.update({path.resolve(): path for path in inside if path.is_file()})
    return list(found.values())


def _document(path: Path) -> Run | Table:
    if path.stat().st_size > MAX_BYTES:
        raise NoResult(f"{path} is larger than {MAX_BYTES // 2**20} MiB")
    return read(path)

"""What a page is made of, apart from how it is written: HTML and Markdown come of the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.report.look import Plot


@dataclass(frozen=True, slots=True)
class Heading:
    text: str
    level: int = 2


@dataclass(frozen=True, slots=True)
class Words:
    """A paragraph."""

    text: str


@dataclass(frozen=True, slots=True)
class Grid:
    """A table. Rows whose number is in ``doubted`` are shown as not valid."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    doubted: frozenset[int] = frozenset()
    wordy: bool = False
    """Whether the cells are sentences rather than figures."""


@dataclass(frozen=True, slots=True)
class Listing:
    """Points, one line each."""

    items: Sequence[str]


@dataclass(frozen=True, slots=True)
class Code:
    """What is typed."""

    text: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A plot, in a file of its own below the page in each form."""

    plot: Plot
    path: str
    """Of both files, relative to the page and without an ending."""


Block = Heading | Words | Grid | Listing | Code | Picture

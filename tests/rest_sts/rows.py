"""One row of the table: what of the wire, what becomes of it here, and what proves that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

SAME: Any = object()
"""Shown as it was written."""


class Verdict(StrEnum):
    SUPPORTED = "supported"
    BETTER = "better"
    REFUSED = "refused"
    OWN = "our own"


@dataclass(frozen=True)
class Kept:
    """A document with the row's key at ``value`` publishes, and is read back with ``shown``.

    ``also`` are further changes of the document, by section; ``key`` is another key to look at.
    """

    value: Any
    shown: Any = SAME
    also: Mapping[str, Any] = field(default_factory=dict)
    key: str = ""


@dataclass(frozen=True)
class Ruled:
    """The tests of broken rules (`test_publish_rules`, `test_publish_refusals`) have the key."""


@dataclass(frozen=True)
class Broken:
    """A document with these changes is a 400 that names the row's key."""

    changes: Mapping[str, Any]


@dataclass(frozen=True)
class Asked:
    """A request, and what it is answered: a status, and members of the body.

    ``who`` asks: ``admin``, ``user``, or nobody.
    """

    method: str
    path: str
    status: int
    body: Any = None
    who: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    members: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answered:
    """Rows of `test_error_table`, by their titles or patterns (``*``) of them."""

    titles: tuple[str, ...]


@dataclass(frozen=True)
class Shown:
    """Tests that show it, as ``file::function`` below `tests/`, without ``.py``."""

    names: tuple[str, ...]


Probe = Kept | Ruled | Broken | Asked | Answered | Shown


@dataclass(frozen=True)
class Row:
    """``name`` is what the wire calls it; ``status``, for mistakes, what they are answered."""

    name: str
    verdict: Verdict
    note: str
    probes: tuple[Probe, ...]
    status: int | None = None


@dataclass(frozen=True)
class Section:
    """A heading of the page. ``part`` is where the keys of its rows stand in a document."""

    title: str
    intro: str
    rows: tuple[Row, ...]
    part: str = ""


def supported(name: str, note: str, *probes: Probe) -> Row:
    return Row(name, Verdict.SUPPORTED, note, probes)


def better(name: str, note: str, *probes: Probe) -> Row:
    return Row(name, Verdict.BETTER, note, probes)


def refused(name: str, note: str, *probes: Probe) -> Row:
    return Row(name, Verdict.REFUSED, note, probes)


def own(name: str, note: str, *probes: Probe) -> Row:
    return Row(name, Verdict.OWN, note, probes)


def tested(*names: str) -> Shown:
    return Shown(names)

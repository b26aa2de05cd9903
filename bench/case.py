"""What every case of the bench is: a name, the formula of its floor, and rows of figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Generic, TypeVar

from bench.result import Measured, Row
from bench.target import Likeness

Options = TypeVar("Options")

Say = Callable[[str], None]
"""Is told what is being measured now."""


class NotAnOption(Exception):
    """An option that the case does not have, or a value that it does not take."""


class Missing(Exception):
    """A server that a case needs is not here; the sentence says how to get it."""


@dataclass(frozen=True, slots=True)
class Stages:
    """What the driver measured of one kind of request: it becomes a Run of its own."""

    request: str
    """The kind of request, such as ``jwt-to-es256``."""
    measured: tuple[Measured, ...]
    transport: str = "http"
    likeness: Likeness | None = None


@dataclass(frozen=True, slots=True)
class Case(Generic[Options]):
    """Something that is measured in rounds, ours and its floor in turn.

    ``options`` is a frozen dataclass of numbers and words: ``quick`` for ``make bench``, ``full``
    for ``make bench-full``; a case without ``quick`` is left out of the former. ``rows`` raises
    Missing, and WrongAnswer for what counts for nothing.
    """

    name: str
    title: str
    formula: str
    """What the floor is made of."""
    quick: Options | None
    full: Options
    rows: Callable[[Options, Say], Iterator[Row | Stages]]
    servers: tuple[str, ...] = ()
    """Servers of others that take part, by the names of ``bench.machine``; for their versions."""

    def options(self, *, full: bool, given: dict[str, str]) -> Options:
        """The options of a size, those given put in their place; raises NotAnOption."""
        chosen = self.full if full or self.quick is None else self.quick
        return replace(chosen, **_read(chosen, given))  # type: ignore[type-var]  # a dataclass


def _read(options: object, given: dict[str, str]) -> dict[str, int | str]:
    here = {each.name: getattr(options, each.name) for each in fields(options)}  # type: ignore[arg-type]
    read: dict[str, int | str] = {}
    for name, text in given.items():
        if name not in here:
            raise NotAnOption(f"{name} is none of its options: {', '.join(here) or 'it has none'}")
        if not isinstance(here[name], int):
            read[name] = text
        elif text.isdecimal() and int(text) > 0:
            read[name] = int(text)
        else:
            raise NotAnOption(f"{name} is a number from 1 on, not {text}")
    return read

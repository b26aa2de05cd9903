"""What was done with each key of an export: a row each, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from adapters.printable import printable

KEPT, WEAK, CHANGED, ADDED = "kept", "weak", "changed", "added"
LEFT_OUT, REFUSED = "left out", "refused"
ORDER = (REFUSED, WEAK, CHANGED, ADDED, KEPT, LEFT_OUT)
"""How urgent what was done is, most urgent first; what is kept as it is mostly needs no words."""

EMPTY = "it is empty"

_WIDTH = max(map(len, ORDER))


@dataclass(frozen=True, slots=True)
class Row:
    """One key: what was ``done`` with it, and why. ``says`` holds no secret."""

    key: str
    done: str
    says: str = ""


@dataclass(slots=True)
class Work:
    """An instance while it is taken over: its flat keys, and a row for each of them.

    ``flat`` maps a key to its strings, as the flat form of an instance has them.
    """

    name: str
    source: str
    form: str
    flat: dict[str, list[str]]
    rows: dict[str, Row] = field(default_factory=dict)

    def say(self, key: str, done: str, says: str = "") -> None:
        """Note what was done. A refusal is never talked over."""
        before = self.rows.get(key)
        if before is None or before.done != REFUSED:
            self.rows[key] = Row(key, done, says)

    def text(self, key: str) -> str:
        """The first value, empty where there is none."""
        values = self.flat.get(key)
        return values[0] if values else ""

    def on(self, key: str) -> bool:
        return self.text(key).strip().lower() == "true"

    def put(self, key: str, value: str, done: str, says: str) -> None:
        """Write one value and say why."""
        self.flat[key] = [value]
        self.say(key, done, says)

    def drop(self, key: str, says: str) -> None:
        if self.flat.pop(key, None) is not None:
            self.say(key, LEFT_OUT, says)

    @property
    def refused(self) -> bool:
        return any(row.done == REFUSED for row in self.rows.values())


@dataclass(frozen=True, slots=True)
class Adopted:
    """An instance of an export: the ``instance_state`` to publish, None where it is refused."""

    name: str
    source: str
    form: str
    rows: tuple[Row, ...]
    state: Mapping[str, Any] | None

    def document(self, result: str) -> dict[str, Any]:
        """For ``--json``: never the state, which holds secrets."""
        keys = [{"key": row.key, "done": row.done, "says": row.says} for row in self.rows]
        return {
            "instance": self.name,
            "file": self.source,
            "form": self.form,
            "result": result,
            "keys": keys,
        }

    def lines(self, result: str) -> Iterator[str]:
        """For people: what is kept as it is on one line, everything else with its reason.

        An export is a stranger's: nothing in it reaches the terminal but what can be printed."""
        yield from map(printable, self._lines(result))

    def _lines(self, result: str) -> Iterator[str]:
        yield f"{self.name}  ({self.form}, {self.source})"
        for done in ORDER:
            for row in self.rows:
                if row.done == done and row.says not in ("", EMPTY):
                    yield _line(done, f"{row.key}: {row.says}")
        empty = [row.key for row in self.rows if row.says == EMPTY]
        if empty:
            yield _line(LEFT_OUT, f"{EMPTY}: {', '.join(empty)}")
        kept = [row.key for row in self.rows if row.done == KEPT and not row.says]
        if kept:
            yield _line(KEPT, ", ".join(kept))
        yield f"  -> {result}"


def _line(done: str, text: str) -> str:
    return f"  {done:<{_WIDTH}}  {text}"


def sorted_rows(rows: Iterable[Row]) -> tuple[Row, ...]:
    return tuple(sorted(rows, key=lambda row: row.key))

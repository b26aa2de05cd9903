"""What a process has done so far, as plain numbers: counted from its audit records, mostly.

Counting is off the critical path as far as it can be: a record is looked at once it is written,
and what is counted is added up and put into words when somebody asks. Every table is bounded,
whatever callers write into their requests.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from broker.model import OPENAM, OPENIDCONNECT, SAML2, USERNAME, X509
from broker.ports import AuditRecord

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds of the histogram's buckets."""

MAX_INSTANCES = 500
MAX_NAMES = 100
"""Operations and token types that are told apart."""

OTHER = "other"
"""Stands for what is one too many."""

MAX_SERIES = 2000
"""Combinations of labels in one table."""

GREATEST = frozenset({"audit_lag_seconds"})
"""What is not added up over processes: the greatest counts."""

TRANSLATE = "translate"
OK = "ok"

Key = tuple[str, ...]


class _Names:
    """Words that have proved to mean something; callers can write any into their requests."""

    def __init__(self, most: int, known: frozenset[str] = frozenset()) -> None:
        self._most = most
        self._known = set(known)

    def named(self, word: str | None, *, proved: bool) -> str:
        if word is None:
            return ""
        if word in self._known:
            return word
        if not proved or len(self._known) >= self._most:
            return OTHER
        self._known.add(word)
        return word


@dataclass(slots=True)
class Durations:
    """A histogram: how many took up to each of ``SECONDS``, and those that took longer."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(SECONDS) + 1))
    total: float = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(SECONDS, seconds)] += 1
        self.total += seconds

    def include(self, counts: list[int], total: float) -> None:
        self.counts = [a + b for a, b in zip(self.counts, counts, strict=True)]
        self.total += total


@dataclass(slots=True)
class Counts:
    """Numbers that only grow, and ``now``: those that say how things stand.

    ``translations`` by instance, input, output and outcome; ``requests`` by operation, transport
    and outcome; ``refusals`` by operation and error; ``modules`` asked who logs in by kind and
    outcome; ``dropped`` answers of RADIUS servers by reason; ``durations`` of translations by
    transport and output.
    """

    translations: dict[Key, int] = field(default_factory=dict)
    requests: dict[Key, int] = field(default_factory=dict)
    refusals: dict[Key, int] = field(default_factory=dict)
    modules: dict[Key, int] = field(default_factory=dict)
    dropped: dict[Key, int] = field(default_factory=dict)
    durations: dict[Key, Durations] = field(default_factory=dict)
    now: dict[str, float] = field(default_factory=dict)

    def add(self, other: Counts) -> None:
        """Add another process's."""
        for name, theirs in other._tables().items():
            ours = self._tables()[name]
            for key, number in theirs.items():
                ours[key] = ours.get(key, 0) + number
        for key, found in other.durations.items():
            self.durations.setdefault(key, Durations()).include(found.counts, found.total)
        for name, value in other.now.items():
            before = self.now.get(name, 0)
            self.now[name] = max(before, value) if name in GREATEST else before + value

    def _tables(self) -> dict[str, dict[Key, int]]:
        return {
            "translations": self.translations,
            "requests": self.requests,
            "refusals": self.refusals,
            "modules": self.modules,
            "dropped": self.dropped,
        }

    def document(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {
            **{
                name: [[*key, number] for key, number in table.items()]
                for name, table in self._tables().items()
            },
            "durations": [
                [*key, found.counts, found.total] for key, found in self.durations.items()
            ],
            "now": self.now,
        }


def counts_of(document: Mapping[str, Any]) -> Counts:
    """What ``Counts.document`` wrote."""
    return Counts(
        _table(document["translations"]),
        _table(document["requests"]),
        _table(document["refusals"]),
        _table(document["modules"]),
        _table(document["dropped"]),
        {tuple(key): Durations(counts, total) for *key, counts, total in document["durations"]},
        document["now"],
    )


def _table(rows: list[list[Any]]) -> dict[Key, int]:
    return {tuple(key): number for *key, number in rows}


class Counter:
    """Counts the audit records of one process, from ``counts`` on."""

    def __init__(self, counts: Counts | None = None) -> None:
        self.counts = counts or Counts()
        # Those of a worker whose place this one takes are known already.
        before = frozenset(key[0] for key in self.counts.translations)
        self._instances = _Names(MAX_INSTANCES, before)
        self._operations = _Names(MAX_NAMES, frozenset({TRANSLATE}))
        self._types = _Names(MAX_NAMES, frozenset({USERNAME, OPENAM, X509, OPENIDCONNECT, SAML2}))

    def count(self, record: AuditRecord) -> None:
        """One attempt that has ended."""
        attempt, outcome, counts = record.attempt, record.outcome, self.counts
        good = outcome == OK
        operation = self._operations.named(attempt.operation, proved=good)
        _one_more(counts.requests, (operation, attempt.transport, outcome))
        if record.error is not None:
            _one_more(counts.refusals, (operation, record.error))
        if operation != TRANSLATE:
            return
        # An instance that has a realm was found; before that its name is only the caller's word.
        instance = self._instances.named(attempt.instance, proved=attempt.realm is not None)
        given = self._types.named(attempt.input_type, proved=good)
        wanted = self._types.named(attempt.output_type, proved=good)
        _one_more(counts.translations, (instance, given, wanted, outcome))
        key = (attempt.transport, wanted)
        durations = counts.durations.get(key)
        if durations is None:
            durations = counts.durations[key] = Durations()
        durations.add(record.ended_at - attempt.started_at)

    def count_module(self, kind: str, outcome: str) -> None:
        """A module of an installed kind said who it is, or something else."""
        _one_more(self.counts.modules, (kind, outcome))

    def count_dropped(self, why: str, times: int) -> None:
        """``why`` is one of a few sentences of ours."""
        _one_more(self.counts.dropped, (why,), times)


def _one_more(table: dict[Key, int], key: Key, times: int = 1) -> None:
    if key not in table and len(table) >= MAX_SERIES:
        key = (*[OTHER] * (len(key) - 1), key[-1])
    table[key] = table.get(key, 0) + times

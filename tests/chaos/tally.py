"""The report of a run, in the manner of RabbitMQ's Jepsen checker."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from tests.chaos.checker import answers, asked, different
from tests.chaos.evidence import Evidence


def tally(evidence: Evidence, strikes: Mapping[str, int], violations: list[str]) -> str:
    """Lines of a name and its number."""
    asks, answered = asked(evidence), answers(evidence)
    attempts = Counter(event["key"] for event in _load(evidence) if event["what"] == "sent")
    accepted = {event["key"] for event in evidence.history if event["what"] == "accepted"}
    by = Counter(str(ask["by"]).split()[0] for ask in asks.values())
    statuses = Counter(found[0]["status"] for found in answered.values())
    unclear = [answer for found in answers(evidence, definite=False).values() for answer in found]
    repeated = {key: found for key, found in answered.items() if len(found) > 1}
    lost = [line for line in violations if line.startswith("I1:")]
    doubled = [line for line in violations if line.startswith("I2:")]
    unexpected = [line for line in violations if line.startswith("I7:")]
    rows = [
        ("requests", len(asks), ", ".join(f"{n} by {name}" for name, n in sorted(by.items()))),
        ("attempts", sum(attempts.values()), ""),
        ("acknowledged", len(accepted | set(answered)), "a 2xx, a definite error, or a confirm"),
        ("ok", statuses[200], "of them tokens: " + str(len(evidence.valid))),
        ("refused as due", sum(n for s, n in statuses.items() if s != 200), _listed(statuses)),
        ("unclear", len(unclear), _listed(Counter(a["status"] for a in unclear)) + "; asked again"),
        ("lost", len(lost), ""),
        ("second tokens", len(doubled), ""),
        ("unexpected", len(unexpected), ""),
        ("duplicated", len(repeated), f"identical, but for {len(different(evidence))} DIFFERENT"),
        ("recovered", sum(1 for k in answered if attempts[k] > 1), "answered after a retry"),
        ("cancelled", len(evidence.cancelled), "never valid again"),
        ("dead letters", len(evidence.dead), f"of {len(set(evidence.dead))} malformed requests"),
        *_events(evidence, violations),
        ("strikes", sum(strikes.values()), _listed(strikes)),
        ("VIOLATIONS", len(violations), ""),
    ]
    return "\n".join(f"{name:<16}{number:>9}  {said}".rstrip() for name, number, said in rows)


def _load(evidence: Evidence) -> Iterator[dict[str, Any]]:
    """The history up to the end of the load: afterwards everything is asked once more."""
    return itertools.takewhile(lambda event: event["what"] != "over", evidence.history)


def _events(evidence: Evidence, violations: list[str]) -> list[tuple[str, int, str]]:
    if evidence.events is None:
        return [("events", 0, "none are announced")]
    ids = {str(event["id"]) for event in evidence.events}
    lost = [line for line in violations if line.startswith("events:")]
    said = f"of {len(ids)} announcements; {len(lost)} lost or changed"
    return [("events", len(evidence.events), said)]


def _listed(numbers: Mapping[int, int] | Mapping[str, int]) -> str:
    found = sorted((str(name), number) for name, number in numbers.items() if number)
    return ", ".join(f"{name}: {number}" for name, number in found if name != "200")

"""Counts of audit records: bounded whatever callers write, added up over workers, and readable."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from adapters.telemetry import prometheus
from adapters.telemetry.counts import MAX_INSTANCES, MAX_SERIES, OTHER, SECONDS, Counter
from adapters.telemetry.metrics import Metrics
from adapters.telemetry.seats import SEAT_BYTES, Seats
from broker.ports import Attempt, AuditRecord

STARTED = 1_700_000_000.0


def _record(
    outcome: str = "ok", error: str | None = None, seconds: float = 0.003, **changes: Any
) -> AuditRecord:
    members: dict[str, Any] = {
        "operation": "translate",
        "transport": "http",
        "instance": "orders",
        "realm": "/",
        "input_type": "OPENAM",
        "output_type": "SAML2",
    }
    attempt = Attempt(**{"started_at": STARTED, **members, **changes})
    return AuditRecord(attempt, outcome, error, None, ended_at=STARTED + seconds)


def _samples(page: bytes) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """What Prometheus' own parser reads on the page."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(page.decode())
        for sample in family.samples
    }


def _value(page: bytes, name: str, **labels: str) -> float | None:
    return _samples(page).get((name, frozenset(labels.items())))


def test_a_translation() -> None:
    """A translation is counted by instance, types and outcome, and its time by transport."""
    metrics = Metrics()
    metrics.count(_record())
    metrics.count(_record(seconds=0.2))
    page = prometheus.written(metrics.total())
    labels = {"instance": "orders", "input": "OPENAM", "output": "SAML2"}
    assert _value(page, "remint_translations_total", **labels, outcome="ok") == 2
    place = {"transport": "http", "output": "SAML2"}
    assert _value(page, "remint_translation_duration_seconds_count", **place) == 2
    bucket = "remint_translation_duration_seconds_bucket"
    assert _value(page, bucket, **place, le="0.0025") == 0
    assert _value(page, bucket, **place, le="0.005") == 1
    assert _value(page, bucket, **place, le="+Inf") == 2


def test_a_refusal() -> None:
    """A refusal is counted by its error, and a failure that nobody foresaw likewise."""
    metrics = Metrics()
    metrics.count(_record("refused", "SessionInvalid"))
    metrics.count(_record("failed", "ValueError", operation="keys get", instance=None))
    page = prometheus.written(metrics.total())
    name = "remint_refusals_total"
    assert _value(page, name, operation="translate", error="SessionInvalid") == 1
    assert _value(page, name, operation=OTHER, error="ValueError") == 1


def test_words_of_callers() -> None:
    """Instances that are not there and types that nobody offers share one label."""
    metrics = Metrics()
    for number in range(MAX_SERIES):
        made_up: dict[str, Any] = {
            "instance": f"i{number}",
            "realm": None,
            "input_type": f"T{number}",
        }
        metrics.count(_record("refused", "UnknownInstance", **made_up))
        metrics.count(_record("refused", "NotSupported", operation=f"a{number}"))
    total = metrics.total()
    assert list(total.translations) == [(OTHER, OTHER, "SAML2", "refused")]
    assert list(total.requests) == [
        ("translate", "http", "refused"),
        (OTHER, "http", "refused"),
    ]


def test_too_many_instances() -> None:
    """With more instances than are told apart nothing is lost: the rest are counted together."""
    metrics = Metrics()
    for number in range(MAX_INSTANCES + 10):
        metrics.count(_record(instance=f"i{number}"))
    table = metrics.total().translations
    assert len(table) == MAX_INSTANCES + 1
    assert table[OTHER, "OPENAM", "SAML2", "ok"] == 10


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["ok", "refused", "failed"]),
            st.text(max_size=20),
            st.text(max_size=20),
            st.floats(-1, 100),
        ),
        max_size=30,
    )
)
def test_any_words(rows: list[tuple[str, str, str, float]]) -> None:
    """Whatever stands in a record, the page can be read and counts each record once."""
    metrics = Metrics()
    for outcome, instance, given_type, seconds in rows:
        metrics.count(_record(outcome, None, seconds, instance=instance, input_type=given_type))
    found = _samples(prometheus.written(metrics.total()))
    for name in ("remint_translations_total", "remint_requests_total"):
        assert sum(value for (each, _), value in found.items() if each == name) == len(rows)


def test_workers_add_up() -> None:
    """Whichever worker is asked, it tells of all; of what waits longest, the longest."""
    seats = Seats(3)
    workers = [Metrics(seats, seat) for seat in range(3)]
    for number, worker in enumerate(workers):
        worker.watch("audit_lag_seconds", lambda number=number: float(number))  # type: ignore[misc]  # bound now
        for _ in range(number + 1):
            worker.count(_record())
        worker.publish()
    for worker in workers:
        total = worker.total()
        assert total.translations["orders", "OPENAM", "SAML2", "ok"] == 6
        assert total.durations["http", "SAML2"].counts[SECONDS.index(0.005)] == 6
        assert total.now == {"workers": 3, "audit_lag_seconds": 2}


def test_a_worker_takes_anothers_seat() -> None:
    """The successor of a worker that died goes on from what that one had counted."""
    seats = Seats(2)
    dead = Metrics(seats, 1)
    dead.count(_record())
    dead.publish()
    successor = Metrics(seats, 1)
    successor.count(_record())
    successor.publish()
    assert Metrics(seats, 0).total().translations["orders", "OPENAM", "SAML2", "ok"] == 2


def test_a_seat_that_is_being_written() -> None:
    """A reader that meets half of a write says what it read before, and later what is new."""
    seats = Seats(2)
    writer, reader = Metrics(seats, 1), Metrics(seats, 0)
    writer.count(_record())
    writer.publish()
    key = ("orders", "OPENAM", "SAML2", "ok")
    assert reader.total().translations[key] == 1
    place = SEAT_BYTES + 20
    seats._memory[place : place + 2] = b"??"
    assert reader.total().translations[key] == 1
    writer.count(_record())
    writer.publish()
    assert reader.total().translations[key] == 2


def test_the_largest_tables_fit() -> None:
    """Tables that are as full as they get still fit into a seat."""
    counter, seats = Counter(), Seats(1)
    for number in range(MAX_INSTANCES):
        for given_type in ("OPENAM", "USERNAME", "X509", "OPENIDCONNECT", "SAML2"):
            counter.count(_record(instance="i" * 200 + str(number), input_type=given_type))
    assert len(counter.counts.translations) <= MAX_SERIES + 1
    seats.write(0, counter.counts)
    assert sum(seats.read(0).translations.values()) == MAX_INSTANCES * 5

"""Counts in Prometheus' text format: names and units as its conventions ask."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from adapters.telemetry.counts import SECONDS, Counts, Durations

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4  # the version that every reader knows

GAUGES = {
    "workers": "Workers that are counted here.",
    "http_requests_in_progress": "HTTP requests in work.",
    "audit_pending_records": "Audit records that are not written yet; their answers wait.",
    "audit_lag_seconds": "For how long the oldest of these has been waiting, over all workers.",
    "outbox_messages": "Events in the store that are not let out yet.",
}
"""Names that may be in ``Counts.now``, and what each means."""


def written(counts: Counts) -> bytes:
    """The page that a Prometheus server reads."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Fixed(counts))
    return generate_latest(registry)


class _Fixed(Collector):
    def __init__(self, counts: Counts) -> None:
        self._counts = counts

    def collect(self) -> Iterator[Metric]:
        counts = self._counts
        yield _counter(
            "translations",
            "Translations that ended.",
            ("instance", "input", "output", "outcome"),
            counts.translations,
        )
        yield _counter(
            "requests",
            "Requests of every kind that ended, one for each audit line.",
            ("operation", "transport", "outcome"),
            counts.requests,
        )
        yield _counter(
            "refusals",
            "Requests that were refused or failed, by error.",
            ("operation", "error"),
            counts.refusals,
        )
        yield _counter(
            "authentication_modules",
            "Answers of authentication modules to the question who logs in.",
            ("kind", "outcome"),
            counts.modules,
        )
        yield _counter(
            "radius_dropped_datagrams",
            "Datagrams that came in the place of a RADIUS server's answer and were none.",
            ("reason",),
            counts.dropped,
        )
        yield _durations(counts)
        for name, meaning in GAUGES.items():
            if name in counts.now:
                yield GaugeMetricFamily(f"remint_{name}", meaning, value=counts.now[name])


def _counter(
    name: str, meaning: str, labels: tuple[str, ...], table: dict[tuple[str, ...], int]
) -> Metric:
    family = CounterMetricFamily(f"remint_{name}", meaning, labels=labels)
    for key, number in sorted(table.items()):
        family.add_metric(key, number)
    return family


def _durations(counts: Counts) -> Metric:
    family = HistogramMetricFamily(
        "remint_translation_duration_seconds",
        "From a request's arrival until its audit record.",
        labels=("transport", "output"),
    )
    for key, found in sorted(counts.durations.items(), key=lambda item: item[0]):
        family.add_metric(key, _buckets(found), found.total)
    return family


def _buckets(found: Durations) -> list[tuple[str, float]]:
    bounds = [*map(str, SECONDS), "+Inf"]
    running, buckets = 0, []
    for bound, number in zip(bounds, found.counts, strict=True):
        running += number
        buckets.append((bound, float(running)))
    return buckets

"""Sinks that keep what they are given."""

from __future__ import annotations

from broker.events import Event
from broker.ports import AuditRecord


class RecordingAuditSink:
    """AuditSink. Set ``failure`` to have it raised instead of recording."""

    def __init__(self) -> None:
        self.records: list[AuditRecord] = []
        self.failure: Exception | None = None

    async def record(self, record: AuditRecord) -> None:
        if self.failure is not None:
            raise self.failure
        self.records.append(record)


class RecordingEventSink:
    """EventSink."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    async def publish(self, event: Event) -> None:
        self.events.append(event)

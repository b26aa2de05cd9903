"""Sinks that keep what they are given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from broker.events import Event
from broker.model import Announcement
from broker.ports import AuditRecord


class OneByOne(Protocol):
    """The part of an AuditSink that writes several records, one after the other."""

    async def record(self, record: AuditRecord) -> None: ...

    async def record_all(self, records: Sequence[AuditRecord]) -> None:
        for record in records:
            await self.record(record)


class RecordingAuditSink(OneByOne):
    """AuditSink. Set ``failure`` to have it raised instead of recording."""

    def __init__(self) -> None:
        self.records: list[AuditRecord] = []
        self.failure: Exception | None = None

    async def record(self, record: AuditRecord) -> None:
        if self.failure is not None:
            raise self.failure
        self.records.append(record)


class RecordingEventSink:
    """EventSink. ``events`` are those that were let out, in order.

    Each announcement has the event's own name as type and text as body.
    """

    listening = True

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._prepared: dict[str, Event] = {}

    def prepare(
        self,
        event: Event,
        *,
        request: tuple[str, str] | None = None,
        alias: str | None = None,
        trace: Mapping[str, str] | None = None,
    ) -> Announcement | None:
        name = type(event).__name__
        id = f"{name} {getattr(event, 'token_id', len(self._prepared))}"
        self._prepared[id] = event
        return Announcement(
            id=id,
            type=name,
            routing_key=name,
            body=repr(event).encode(),
            due_at=event.at + 10,
            request=request,
            alias=alias,
        )

    def announce(self, announcement: Announcement | None) -> None:
        if announcement is not None:
            self.events.append(self._prepared[announcement.id])

    async def publish(self, event: Event) -> None:
        self.events.append(event)

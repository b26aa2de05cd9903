"""Where announcements go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from broker.errors import Unavailable
from broker.model import Announcement
from broker.ports import Journal

CONTENT_TYPE = "application/cloudevents+json"
"""CloudEvents 1.0, JSON event format, section 3: structured mode."""


class EventsNotSent(Exception):
    """Announcements did not arrive; the text says why, without an address.

    ``unsent`` are those that did not, where the channel works and took the others; None where
    nobody can say, upon which the channel is left alone for a while. Nothing is lost: they are in
    the outbox, and come again.
    """

    def __init__(self, reason: str, unsent: Sequence[Announcement] | None = None) -> None:
        super().__init__(reason)
        self.unsent = unsent


class Channel(Protocol):
    """One way out. Who listens there may get an announcement more than once."""

    @property
    def name(self) -> str:
        """For the log, such as ``amqp``."""

    async def send(self, announcements: Sequence[Announcement]) -> None:
        """Returns once the other side has confirmed all of them. Raises EventsNotSent.

        It may take ``announcer.SEND_SECONDS``; then it is cancelled. It is never called twice at
        once, and is called again after a pause, so it rebuilds a lost connection by itself.
        """

    async def close(self) -> None:
        """Let go of the connection. Never raises."""


class JournalChannel:
    """The journal in the store, which ``GET /events`` shows."""

    name = "journal"

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def send(self, announcements: Sequence[Announcement]) -> None:
        """Raises EventsNotSent."""
        try:
            await self._journal.append([announcement.body for announcement in announcements])
        except Unavailable as error:
            raise EventsNotSent(error.sentence) from None

    async def close(self) -> None:
        """The store is closed by its owner."""

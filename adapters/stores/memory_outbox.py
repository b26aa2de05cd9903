"""The outbox and the journal of one process."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from broker.model import Announcement


@dataclass(slots=True)
class _Waiting:
    announcement: Announcement
    due_at: float


class MemoryOutbox:
    """Outbox."""

    def __init__(self) -> None:
        self._waiting: dict[str, _Waiting] = {}

    async def add(self, announcement: Announcement) -> None:
        self.put(announcement)

    def put(self, announcement: Announcement | None) -> None:
        """For a step that has done what is announced."""
        if announcement is not None:
            waiting = _Waiting(announcement, announcement.due_at)
            self._waiting.setdefault(announcement.id, waiting)

    async def due(self, now: float, lease_seconds: float, limit: int) -> list[Announcement]:
        fallen_due = [waiting for waiting in self._waiting.values() if waiting.due_at <= now]
        found = sorted(fallen_due, key=lambda waiting: waiting.due_at)[:limit]
        for waiting in found:
            waiting.due_at = now + lease_seconds
        return [waiting.announcement for waiting in found]

    async def done(self, announcements: Sequence[Announcement]) -> None:
        for announcement in announcements:
            self._waiting.pop(announcement.id, None)

    async def size(self) -> int:
        return len(self._waiting)


class MemoryJournal:
    """Journal of the last ``kept`` announcements; positions are numbers from 1 on."""

    def __init__(self, kept: int) -> None:
        self._bodies: deque[tuple[int, bytes]] = deque(maxlen=kept)
        self._newest = 0

    async def append(self, bodies: Sequence[bytes]) -> None:
        for body in bodies:
            self._newest += 1
            self._bodies.append((self._newest, body))

    async def read(self, after: str | None, limit: int) -> list[tuple[str, bytes]]:
        if after is None:
            return [(str(self._newest), b"")] if self._bodies else []
        start = known_position(after, self._newest)
        later = [(str(at), body) for at, body in self._bodies if at > start]
        return later[:limit]


def known_position(after: str, newest: int) -> int:
    """The number of a position. One that this journal never gave means from the oldest, as one
    that is gone does: it comes from before the store was made anew."""
    if not (after.isascii() and after.isdigit() and len(after) <= MAX_POSITION_DIGITS):
        return 0
    return int(after) if int(after) <= newest else 0


MAX_POSITION_DIGITS = 18
"""As many as fit into the 64 bits of a store's number."""

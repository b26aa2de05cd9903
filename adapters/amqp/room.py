"""How many deliveries of each queue are in work, and how many only wait beside it.

RabbitMQ counts both against the prefetch of their consumer: a few that wait for a queue which
confirms nothing would keep all others from coming. So one that waits steps aside, and once half of
a consumer's places are taken that way, another consumer is begun in its place.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

MAX_ASIDE = 1000
"""Deliveries that wait, of all queues together; beyond that no room is made for others."""


class Room:
    """Of one transport; ``prefetch`` says how many deliveries of each queue may be in work.

    ``changed`` is called when one steps aside, and when one that did leaves.
    """

    def __init__(self, prefetch: Mapping[str, int], changed: Callable[[], None]) -> None:
        self.in_work: Counter[str] = Counter()
        self.aside = 0
        self._prefetch = prefetch
        self._changed = changed
        self._consumers: Counter[str] = Counter()  # how many were begun
        self._lost: Counter[str] = Counter()  # places of the present one

    def enter(self, queue: str) -> Place:
        """A delivery came."""
        return Place(self, queue, self._consumers[queue])

    def begun(self, queue: str) -> None:
        """A consumer was begun, with all its places free."""
        self._consumers[queue] += 1
        self._lost[queue] = 0

    def has_some(self, queue: str) -> bool:
        """Whether a consumer may be begun: what is in work stays bounded by that."""
        return self.in_work[queue] < self._prefetch[queue]

    def is_short(self, queue: str) -> bool:
        """Whether the consumer has too few places left, and another is to be begun."""
        lost = self._lost[queue]
        many = lost > 0 and lost * 2 >= self._prefetch[queue]
        return many and self.aside < MAX_ASIDE and self.has_some(queue)

    def change(self, place: Place, by: int) -> None:
        """A place was left to one that waits, or is free again."""
        self.aside += by
        if place.consumer == self._consumers[place.queue]:
            self._lost[place.queue] += by
        self._changed()


class Place:
    """Of one delivery, from its coming to its leaving."""

    def __init__(self, room: Room, queue: str, consumer: int) -> None:
        self.queue = queue
        self.consumer = consumer
        self._room = room
        self._aside = False
        room.in_work[queue] += 1

    def step_aside(self) -> None:
        """It waits for others now; saying so again changes nothing."""
        if not self._aside:
            self._aside = True
            self._room.in_work[self.queue] -= 1
            self._room.change(self, 1)

    def leave(self) -> None:
        """It was acknowledged or returned. Call it once."""
        if self._aside:
            self._room.change(self, -1)
        else:
            self._room.in_work[self.queue] -= 1

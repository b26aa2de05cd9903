"""Cancels that a fail-over may have lost are made again before anything else is asked.

Replication is asynchronous: a replica that takes over may never have heard of a cancel that was
acknowledged, and then the token would be valid again. So a broker remembers what it cancelled
lately and repeats it on every new connection, ahead of the first command: removing a record that is
gone does nothing. It forgets with the process; docs/redis.md says what closes that gap.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

import structlog

from adapters.stores.redis_links import Command, Exchange

RECENT_SECONDS = 60.0
"""For how long a cancel is repeated: longer than Sentinels or a cluster need to fail over."""

MAX_RECENT = 4096
"""How many are remembered; beyond that the oldest are forgotten early."""

CHUNK = 512
"""How many are sent in one round trip."""

_log = structlog.get_logger(__name__)


class RecentCancels:
    """The removals of the last ``RECENT_SECONDS``, oldest first."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._noted: deque[tuple[float, tuple[Command, ...]]] = deque(maxlen=MAX_RECENT)

    def note(self, *commands: Command) -> None:
        """They removed something for good, and announced it; the last of them replies with nothing
        if it is gone, and those before it always do."""
        self._forget()
        self._noted.append((self._now(), commands))

    async def repeat(self, exchange: Exchange) -> None:
        """Over a new connection; what a server refuses, it will refuse the next command too."""
        self._forget()
        commands = [command for _, noted in self._noted for command in noted]
        lost = 0
        for start in range(0, len(commands), CHUNK):
            replies = await exchange(commands[start : start + CHUNK])
            lost += sum(bool(reply) and not isinstance(reply, Exception) for reply in replies)
        if lost:
            _log.warning("the store had lost cancels; they were made again", count=lost)

    def _forget(self) -> None:
        oldest = self._now() - RECENT_SECONDS
        while self._noted and self._noted[0][0] < oldest:
            self._noted.popleft()

"""Cancels that a fail-over may have lost are made again before anything else is asked.

Replication is asynchronous: a replica that takes over may never have heard of a cancel that was
acknowledged, and then the token would be valid again. So a broker remembers what it cancelled
lately and repeats it on every new connection, ahead of the first command: removing a record that is
gone does nothing. It forgets with the process; docs/redis.md says what closes that gap.

A cancel that is under way is left to itself, since a new connection that made it first would take
the answer away from who asked for it. If one was opened meanwhile, perhaps to another primary, who
asked makes it again.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

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
        self._greeted = 0

    @contextmanager
    def making(self, *commands: Command) -> Iterator[Callable[[], bool]]:
        """While they remove something for good, and announce it; the last of them replies with
        nothing if it is gone, and those before it always do.

        Says whether connections were opened meanwhile, that may know nothing of it. It is repeated
        from its end on, even if its outcome stayed unknown: it was asked for.
        """
        before = self._greeted
        try:
            yield lambda: self._greeted != before
        finally:
            self._forget()
            self._noted.append((self._now(), commands))

    async def repeat(self, exchange: Exchange) -> None:
        """Over a new connection; what a server refuses, it will refuse the next command too."""
        self._forget()
        self._greeted += 1
        cancels = [commands for _, commands in self._noted]
        count = 0
        for start in range(0, len(cancels), CHUNK):
            chunk = cancels[start : start + CHUNK]
            replies = await exchange([removal for *_, removal in chunk])
            lost = [
                before
                for (*before, _), reply in zip(chunk, replies, strict=True)
                if reply and not isinstance(reply, Exception)
            ]
            count += len(lost)
            # What leads to an announcement is written only where it was made again: elsewhere it
            # may have been let out, and would be looked for in vain.
            entries = [command for before in lost for command in before]
            if entries:
                await exchange(entries)
        if count:
            _log.warning("the store had lost cancels; they were made again", count=count)

    def _forget(self) -> None:
        oldest = self._now() - RECENT_SECONDS
        while self._noted and self._noted[0][0] < oldest:
            self._noted.popleft()

"""Whether what every request depends on is there: while it is not, nothing is taken on.

A failure is looked into before it is believed: one cheap call tells whether the store is down, or
whether only this request has failed. While it is down that call is made again with growing pauses,
and its first success lets all waiting work go on (a circuit breaker, half open for one probe).
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable

import structlog

from broker.errors import ClaimLost, RequestInProgress, Unavailable
from broker.model import Claim
from broker.ports import Clock, RequestLedger

PROBE_SECONDS = 5.0  # a probe without an answer by then has failed
FIRST_PAUSE_SECONDS = 0.2
MAX_PAUSE_SECONDS = 5.0
PROBE_SCOPE = "probe"
PROBE_LEASE_SECONDS = 1.0
OTHERS_WORK = (RequestInProgress, ClaimLost)  # unavailable, though nothing is down

Probe = Callable[[], Awaitable[object]]

_log = structlog.get_logger(__name__)


async def _nothing_to_ask() -> None:
    """The probe where all that requests depend on is in this process."""


def store_probe(ledger: RequestLedger, clock: Clock) -> Probe:
    """One small write: a store that can be read and not written is down all the same."""
    name = secrets.token_hex(16)

    async def probe() -> None:
        now = int(clock.now())
        claim = Claim(
            token_id="",
            issued_at=now,
            expires_at=now,
            key_id=None,
            entropy=b"",
            scope=PROBE_SCOPE,
            request_id=name,
            owner=name,
        )
        await ledger.claim(claim, clock.now(), PROBE_LEASE_SECONDS)

    return probe


class Breaker:
    """Closed while all is well; open from a failed probe to the next one that succeeds."""

    def __init__(self, probe: Probe = _nothing_to_ask) -> None:
        self._probe = probe
        self._closed = asyncio.Event()
        self._closed.set()
        self._look: asyncio.Task[bool] | None = None
        self._recovery: asyncio.Task[None] | None = None
        self._watchers: list[Callable[[], None]] = []

    @property
    def open(self) -> bool:
        """True while nothing should be begun."""
        return not self._closed.is_set()

    def watch(self, changed: Callable[[], None]) -> None:
        """Call ``changed`` whenever it opens or closes."""
        self._watchers.append(changed)

    async def wait(self, seconds: float | None = None) -> bool:
        """True once it is closed, at once if it is; False if ``seconds`` passed first."""
        if not self.open:
            return True
        self._recover()
        try:
            async with asyncio.timeout(seconds):
                await self._closed.wait()
        except TimeoutError:
            return False
        return True

    async def opened_by(self, failure: Exception) -> bool:
        """Whether a failure comes of a dependency that is down: then it is open now."""
        if not isinstance(failure, Unavailable) or isinstance(failure, OTHERS_WORK):
            return False
        if self.open:
            return True
        if self._look is None or self._look.done():
            self._look = asyncio.create_task(self._answered())
        if not await asyncio.shield(self._look) and not self.open:
            self._closed.clear()
            _log.warning("the store is down: no requests are taken on")
            self._recover()
            self._tell()
        return self.open

    async def stop(self) -> None:
        """Probe no more; whoever still waits starts it again."""
        tasks = [task for task in (self._look, self._recovery) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _recover(self) -> None:
        if self._recovery is None or self._recovery.done():
            self._recovery = asyncio.create_task(self._probe_until_answered())

    async def _probe_until_answered(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        await asyncio.sleep(pause)
        while not await self._answered():
            pause = min(pause * 2, MAX_PAUSE_SECONDS)
            await asyncio.sleep(pause)
        self._closed.set()
        _log.info("the store is back: requests are taken on again")
        self._tell()

    async def _answered(self) -> bool:
        with contextlib.suppress(Exception):
            async with asyncio.timeout(PROBE_SECONDS):
                await self._probe()
                return True
        return False

    def _tell(self) -> None:
        for changed in self._watchers:
            changed()

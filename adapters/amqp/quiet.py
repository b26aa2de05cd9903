"""Queues that confirm nothing, though the message server confirms elsewhere.

RabbitMQ confirms a message once its queue has it, so a queue that lost its majority, or did not
come back after a crash, leaves every message to it unconfirmed. Each would wait in vain. So of all
messages to such a queue one at a time is sent, after growing pauses, and the others are held back
until it is confirmed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from aio_pika.exceptions import DeliveryError

from adapters.amqp.message import DIRECT_REPLY
from adapters.amqp.publish import RebuildError, UnconfirmedError

FIRST_PAUSE_SECONDS = 2.0
MAX_PAUSE_SECONDS = 30.0
MAX_QUIET = 1000  # queues of which it is remembered; of others it is found out again

_log = structlog.get_logger(__name__)


class QuietQueue:
    """One of them. ``heard`` is set once it has confirmed or refused a message."""

    def __init__(self) -> None:
        self.heard = asyncio.Event()
        self._pause = FIRST_PAUSE_SECONDS
        self._try_at = _now() + self._pause
        self._trying = False

    @property
    def closed(self) -> bool:
        """True while nothing more is to be sent there."""
        return not self.heard.is_set() and (self._trying or _now() < self._try_at)

    @property
    def left(self) -> float:
        """Seconds until the next message is sent there."""
        return max(0.0, self._try_at - _now())

    def begin(self) -> None:
        self._trying = True

    def end(self, *, unconfirmed: bool) -> None:
        self._trying = False
        if unconfirmed:
            self._pause = min(self._pause * 2, MAX_PAUSE_SECONDS)
            self._try_at = _now() + self._pause


class QuietQueues:
    """Those of one link: a new link tries each of them anew."""

    def __init__(self) -> None:
        self._known: dict[str, QuietQueue] = {}

    def get(self, queue: str) -> QuietQueue | None:
        """None for a queue that confirms, or was not tried."""
        return self._known.get(queue)

    def check(self, queue: str) -> None:
        """Raises UnconfirmedError, naming the queue, if nothing is to be sent there now."""
        known = self._known.get(queue)
        if known is not None and known.closed:
            raise UnconfirmedError(queue)

    @contextmanager
    def turn(self, queue: str) -> Iterator[None]:
        """Send one message to ``queue`` inside. Raises UnconfirmedError, naming the queue: at once
        if it is not to be sent now."""
        self.check(queue)
        known = self._known.get(queue)
        if known is not None:
            known.begin()
        unconfirmed = False
        try:
            yield
        except RebuildError:
            raise  # says nothing of the queue
        except UnconfirmedError:
            unconfirmed = True
            self._found(queue)
            raise UnconfirmedError(queue) from None
        except DeliveryError:
            self._heard(queue)
            raise
        else:
            self._heard(queue)
        finally:
            if known is not None:
                known.end(unconfirmed=unconfirmed)

    def _found(self, queue: str) -> None:
        if queue in self._known:
            return
        self._known[queue] = QuietQueue()
        _log.warning("amqp queue confirms nothing", queue=_shown(queue))
        if len(self._known) > MAX_QUIET:
            self._known.pop(next(iter(self._known))).heard.set()

    def _heard(self, queue: str) -> None:
        known = self._known.pop(queue, None)
        if known is not None:
            known.heard.set()
            _log.info("amqp queue confirms again", queue=_shown(queue))


def _shown(queue: str) -> str:
    """Whoever knows a direct reply-to name may write there."""
    return DIRECT_REPLY if queue.startswith(DIRECT_REPLY) else queue


def _now() -> float:
    return asyncio.get_running_loop().time()

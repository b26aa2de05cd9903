"""One request until it is answered: sent, confirmed, and sent again with the same id."""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractIncomingMessage

from remint_client import answers
from remint_client.answers import Answer
from remint_client.errors import SAME_ID, Closed, Refused, TimedOut
from remint_client.link import Link, LinkLostError, Links, NotTakenError
from remint_client.sealing import JOSE, Sealer

JSON: Final = "application/json"
FIRST_PAUSE_SECONDS = 0.2
MAX_PAUSE_SECONDS = 5.0

_log = logging.getLogger("remint_client")


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked, in the words of the wire; the same whenever it is sent again.

    ``deadline`` is in seconds since the epoch.
    """

    queue: str
    type: str
    body: Mapping[str, Any] = field(repr=False)
    id: str
    deadline: float | None = None
    trace: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Pending:
    """A request on its way. ``inbox`` gets every answer to it, duplicates included."""

    request: Request
    correlation: str = field(default_factory=lambda: uuid.uuid4().hex)
    inbox: asyncio.Queue[Answer] = field(default_factory=asyncio.Queue)
    sent: bool = False
    last: Answer | None = None

    @property
    def refusal(self) -> Refused | None:
        return self.last.refusal() if self.last is not None and self.last.refused else None


class Asking:
    """Sends requests as one user, and brings each its answer."""

    def __init__(self, url: str, user: str, sealer: Sealer | None, resend_seconds: float) -> None:
        self._links = Links(url, self._arrived)
        self._user = user
        self._sealer = sealer
        self._resend_seconds = resend_seconds
        self._pending: dict[str, _Pending] = {}
        self._open = False

    async def open(self) -> None:
        self._open = True

    async def close(self) -> None:
        self._open = False
        await self._links.close()

    async def ask(self, request: Request, seconds: float) -> Answer:
        """The answer that asking again does not change.

        When the time is up, a batch of which some parts may still succeed is answered as it stands.
        Raises TimedOut, NotAllowed, KeysUnavailable, Closed.
        """
        if not self._open:
            raise Closed("open the client first: async with RemintClient(url) as client")
        pending = _Pending(request)
        self._pending[pending.correlation] = pending
        try:
            async with asyncio.timeout(seconds):
                return await self._answered(pending)
        except TimeoutError:
            if pending.last is not None and not pending.last.refused:
                return pending.last
            raise TimedOut(request.id, sent=pending.sent, last=pending.refusal) from None
        finally:
            del self._pending[pending.correlation]

    async def _answered(self, pending: _Pending) -> Answer:
        pauses = _pauses()
        wait = self._resend_seconds
        while True:
            link = await self._links.current()
            try:
                await self._send(link, pending)
            except NotTakenError:
                await asyncio.sleep(next(pauses))
                continue
            except LinkLostError:
                continue
            answer = await _first(pending.inbox, link.lost, wait)
            if answer is None:
                wait *= 1 if link.lost.is_set() else 2
            elif answer.retry == SAME_ID:
                pending.last = answer
                await asyncio.sleep(next(pauses))
            else:
                return answer

    async def _send(self, link: Link, pending: _Pending) -> None:
        request = pending.request
        headers: dict[str, Any] = dict(request.trace)
        if request.deadline is not None:
            headers["deadline"] = int(request.deadline * 1000)
        # Sealed anew each time: the broker's key may have changed, and a signature holds minutes.
        sealed = None if self._sealer is None else await self._sealer.seal(request.body, request.id)
        message = Message(
            json.dumps(request.body).encode() if sealed is None else sealed,
            content_type=JSON if sealed is None else JOSE,
            delivery_mode=DeliveryMode.PERSISTENT,
            type=request.type,
            message_id=request.id,
            correlation_id=pending.correlation,
            reply_to=link.reply_to,
            user_id=self._user,
            headers=headers,
        )
        pending.sent = True  # from here on nobody can say that it did not arrive
        await link.publish(request.queue, message)

    def _arrived(self, message: AbstractIncomingMessage) -> None:
        """An answer. One that nobody waits for is a duplicate, or came too late: it is dropped."""
        pending = self._pending.get(message.correlation_id or "")
        if pending is None:
            return
        try:
            pending.inbox.put_nowait(self._read(message))
        except ValueError as error:
            # Not the broker's: anybody may write to a reply queue. The right one may still come.
            _log.warning("an answer was ignored: %s", error)

    def _read(self, message: AbstractIncomingMessage) -> Answer:
        encrypted = message.content_type == JOSE
        if encrypted and self._sealer is None:
            raise ValueError("it is encrypted, and nothing was asked to be")
        body = message.body
        if encrypted and self._sealer is not None:
            body = self._sealer.open(body)
        decoded = json.loads(body)
        if not isinstance(decoded, dict):
            raise ValueError("it is no JSON object")
        answer = answers.read(decoded, message.headers)
        if self._sealer is not None and not encrypted and not answer.refused:
            # What could not be opened is refused in the clear; a result never comes so.
            raise ValueError("it came in the clear")
        return answer


async def _first(
    inbox: asyncio.Queue[Answer], lost: asyncio.Event, seconds: float
) -> Answer | None:
    """The next answer; None once the link is lost or the time is up, and nothing came."""
    waits = (asyncio.create_task(inbox.get()), asyncio.create_task(lost.wait()))
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
    answered = waits[0]
    return answered.result() if answered.done() and not answered.cancelled() else None


def _pauses() -> Iterator[float]:
    pause = FIRST_PAUSE_SECONDS
    while True:
        yield pause
        pause = min(2 * pause, MAX_PAUSE_SECONDS)

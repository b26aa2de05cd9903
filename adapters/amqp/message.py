"""A delivery, read: its properties as plain values, and the messages that go back out.

Nothing here trusts a property further than its type. The body may hold a password; it is never
shown, and a dead letter carries its size and keyed digest in its place.
"""

from __future__ import annotations

import hmac
import math
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aio_pika import DeliveryMode, Message
from aiormq.abc import DeliveredMessage

from adapters import codec
from adapters.amqp import letter_mac
from adapters.amqp.tolerance import UnreadableProperties
from adapters.amqp.topology import BATCHES, CONTROL, EXPIRED
from adapters.messages.asked import TRANSLATE_BATCH
from adapters.messages.envelope import Envelope, trace_of
from adapters.messages.worker import Outcome, answer_headers
from broker.errors import InvalidRequest, Refusal, RemintError

ANONYMOUS = "anonymous"
REPLY_PREFIX = "remint.reply."
SERVER_NAMED_PREFIX = "amq.gen-"
DIRECT_REPLY = "amq.rabbitmq.reply-to"

TRANSPORT = "amqp"
DELIVERY_COUNT = "x-delivery-count"
MAX_EXPIRATION_DIGITS = 15  # milliseconds; beyond them lies no deadline


@dataclass(frozen=True, slots=True)
class Incoming:
    """One request as it arrived. ``expired`` if the message server gave up waiting for us.

    ``timestamp`` is in seconds since the epoch. ``user_id`` was checked by RabbitMQ against the
    publisher's login. ``misplaced`` is a batch in a queue whose other requests it would hold up.
    ``failures`` is how often the message came before and was not acknowledged.
    An empty property counts as absent.
    """

    body: bytes = field(repr=False)
    type: str | None = None
    message_id: str | None = None
    correlation_id: str | None = None
    reply_to: str | None = None
    user_id: str | None = None
    app_id: str | None = None
    content_type: str | None = None
    content_encoding: str | None = None
    timestamp: float | None = None
    expiration: str | None = None
    headers: Mapping[str, Any] = field(default_factory=dict, repr=False)
    readable: bool = True
    expired: bool = False
    misplaced: bool = False
    failures: int = 0

    @property
    def reply_allowed(self) -> bool:
        """Whether answers may go to ``reply_to``: a queue of the requester's own, or none named."""
        target = self.reply_to
        if target is None or target == DIRECT_REPLY or target.startswith(f"{DIRECT_REPLY}."):
            return True
        if target.startswith(SERVER_NAMED_PREFIX):
            return True
        own = f"{REPLY_PREFIX}{self.user_id or ANONYMOUS}."
        # One word after the user, so that user "a" cannot name a queue of user "a.b".
        return target.startswith(own) and "." not in target.removeprefix(own)

    def envelope(self) -> Envelope:
        """The request in it, whatever the publisher wrote."""
        problem: Refusal | None = None
        deadline = None
        if not self.readable:
            problem = InvalidRequest("the properties of this message cannot be read")
        elif not self.reply_allowed:
            problem = InvalidRequest("reply_to names a queue that answers may not go to")
        elif self.misplaced:
            problem = InvalidRequest(f"send a {TRANSLATE_BATCH} to the queue {BATCHES}")
        else:
            try:
                deadline = self.deadline()
            except InvalidRequest as refusal:
                problem = refusal
        return Envelope(
            transport=TRANSPORT,
            body=self.body,
            type=self.type,
            message_id=self.message_id,
            requester=self.user_id,
            reply_to=self.reply_to,
            content_type=self.content_type,
            content_encoding=self.content_encoding,
            deadline=deadline,
            expired=self.expired,
            trace=trace_of(self.headers),
            problem=problem,
        )

    def deadline(self) -> float | None:
        """When the answer loses its worth, in seconds since the epoch. Raises InvalidRequest."""
        given = self.headers.get("deadline")
        if given is not None:
            if isinstance(given, bool) or not isinstance(given, int | float):
                raise InvalidRequest("the deadline header must be a number of milliseconds")
            if math.isnan(given):
                raise InvalidRequest("the deadline header must be a number of milliseconds")
            return given / 1000
        if self.timestamp is None or self.expiration is None:
            return None
        if not (self.expiration.isascii() and self.expiration.isdigit()):
            raise InvalidRequest("expiration must be a number of milliseconds")
        if len(self.expiration) > MAX_EXPIRATION_DIGITS:
            return None
        return self.timestamp + int(self.expiration) / 1000


def read(delivered: DeliveredMessage, queue: str) -> Incoming:
    """A delivery of ``queue`` as plain values; never fails, whatever the publisher wrote."""
    given = delivered.header.properties
    timestamp = given.timestamp
    return Incoming(
        body=delivered.body,
        type=given.message_type or None,
        message_id=given.message_id or None,
        correlation_id=given.correlation_id or None,
        reply_to=given.reply_to or None,
        user_id=given.user_id or None,
        app_id=given.app_id or None,
        content_type=given.content_type or None,
        content_encoding=given.content_encoding or None,
        timestamp=timestamp.timestamp() if isinstance(timestamp, datetime) else None,
        expiration=given.expiration or None,
        headers=given.headers or {},
        readable=not isinstance(given, UnreadableProperties),
        expired=queue == EXPIRED,
        misplaced=given.message_type == TRANSLATE_BATCH and queue == CONTROL,
        failures=_failures(delivered),
    )


def _failures(delivered: DeliveredMessage) -> int:
    """RabbitMQ's count for quorum queues; what a publisher wrote there is not believed."""
    count = (delivered.header.properties.headers or {}).get(DELIVERY_COUNT)
    return count if delivered.redelivered and isinstance(count, int) else 0


def answer_message(incoming: Incoming, outcome: Outcome, now: float) -> Message:
    """The answer as it goes out."""
    return Message(
        outcome.body,
        headers=answer_headers(outcome.answer, incoming.type, trace_of(incoming.headers)),
        content_type=outcome.content_type,
        delivery_mode=DeliveryMode.PERSISTENT,
        correlation_id=incoming.correlation_id or incoming.message_id,
        # Its own, as a return is matched to its publish by message id.
        message_id=uuid.uuid4().hex,
        timestamp=int(now),
    )


def dead_letter(
    incoming: Incoming,
    error: RemintError,
    digest_key: bytes,
    seal_body: Callable[[bytes], bytes] | None = None,
) -> Message:
    """What an operator may see of a message that cannot be handled.

    ``seal_body`` encrypts the body for the operator's key; without it the body stays behind.
    ``user_id`` and ``expiration`` become headers: RabbitMQ would check the one against our own
    login, and act on the other. Unknown headers stay behind, as they may hold anything.
    """
    digest = hmac.new(digest_key, incoming.body, "sha256").hexdigest()
    headers: dict[str, Any] = {
        "x-remint-reason": error.sentence,
        "x-remint-status": codec.status_of(error),
        "x-remint-size": len(incoming.body),
        "x-remint-digest": digest,
    }
    if incoming.user_id is not None:
        headers["x-remint-user-id"] = incoming.user_id
    if incoming.expiration is not None:
        headers["x-remint-expiration"] = incoming.expiration
    headers.update(trace_of(incoming.headers))
    deadline = incoming.headers.get("deadline")
    if isinstance(deadline, int | float):
        headers["deadline"] = deadline
    letter = Message(
        seal_body(incoming.body) if seal_body is not None else b"",
        headers=headers,
        delivery_mode=DeliveryMode.PERSISTENT,
        type=incoming.type,
        message_id=incoming.message_id or uuid.uuid4().hex,
        correlation_id=incoming.correlation_id,
        reply_to=incoming.reply_to,
        app_id=incoming.app_id,
        content_type=incoming.content_type,
        content_encoding=incoming.content_encoding,
        timestamp=incoming.timestamp,
    )
    letter.headers[letter_mac.HEADER] = letter_mac.of(letter, digest_key)
    return letter

"""A delivery, read: its topic and properties as plain values, and the messages that go back out.

Nothing here trusts a property further than its type. The body may hold a password; it is never
shown, and a dead letter carries its size and keyed digest in its place.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from typing import Any

from paho.mqtt.properties import Properties

from adapters import codec
from adapters.messages.envelope import Envelope, trace_of
from adapters.messages.suspects import SUSPECT_FAILURES
from adapters.messages.worker import Outcome, answer_headers
from adapters.mqtt import topics
from adapters.mqtt.packets import Delivery, publish_properties
from broker.errors import InvalidRequest, Refusal, RemintError

TRANSPORT = "mqtt"
MAX_CORRELATION_BYTES = 1024
MAX_DEADLINE_DIGITS = 15  # milliseconds; beyond them lies no deadline
MIN_ANSWER_SECONDS = 60
MAX_ANSWER_SECONDS = 3600  # an answer may hold a token: the message server keeps it no longer

OWN_PROPERTIES = ("message-id", "deadline", "traceparent", "tracestate")


@dataclass(frozen=True, slots=True)
class Incoming:
    """One request as it arrived. ``user`` maps the names of user properties to their values.

    ``expires_at`` is when its Message Expiry Interval ends, in seconds since the epoch. An empty
    property counts as absent.
    """

    topic: str | None
    address: topics.RequestTopic | None
    body: bytes = field(repr=False)
    qos: int = 1
    dup: bool = False
    retain: bool = False
    readable: bool = True
    response_topic: str | None = None
    correlation: bytes | None = field(default=None, repr=False)
    content_type: str | None = None
    expires_at: float | None = None
    user: dict[str, list[str]] = field(default_factory=dict, repr=False)

    @property
    def requester(self) -> str | None:
        """Whom the message server let publish under this topic; None for ``anonymous``."""
        if self.address is None or self.address.user == topics.ANONYMOUS:
            return None
        return self.address.user

    @property
    def type(self) -> str | None:
        """The operation, by the name that all transports have for it."""
        return None if self.address is None else self.address.operation

    @property
    def failures(self) -> int:
        """MQTT tells that a message came before, and not how often."""
        return SUSPECT_FAILURES if self.dup else 0

    @property
    def message_id(self) -> str | None:
        return self._first("message-id")

    @property
    def reply_to(self) -> str | None:
        """Where the answer goes: a topic of the requester's own, else None."""
        if self.response_topic is None or self.address is None:
            return None
        allowed = topics.reply_allowed(self.response_topic, self.address.user)
        return self.response_topic if allowed else None

    @property
    def trace(self) -> dict[str, str]:
        return trace_of({name: self._first(name) for name in ("traceparent", "tracestate")})

    def envelope(self) -> Envelope:
        """The request in it, whatever the publisher wrote."""
        problem = self._problem()
        deadline = None
        if problem is None:
            try:
                deadline = self.deadline()
            except InvalidRequest as refusal:
                problem = refusal
        return Envelope(
            transport=TRANSPORT,
            body=self.body,
            type=self.type,
            message_id=self.message_id,
            requester=self.requester,
            reply_to=self.reply_to,
            content_type=self.content_type,
            deadline=deadline,
            instance=None if self.address is None else self.address.instance,
            trace=self.trace,
            problem=problem,
        )

    def deadline(self) -> float | None:
        """When the answer loses its worth, in seconds since the epoch: what the property says or
        when the message expires, whichever is earlier. Raises InvalidRequest."""
        given = self._first("deadline")
        if given is None:
            return self.expires_at
        if not (given.isascii() and given.isdigit()):
            raise InvalidRequest("the user property deadline must be a number of milliseconds")
        if len(given) > MAX_DEADLINE_DIGITS:
            return self.expires_at
        said = int(given) / 1000
        return said if self.expires_at is None else min(said, self.expires_at)

    def _problem(self) -> Refusal | None:
        """What is wrong around the body."""
        if self.address is None:
            return InvalidRequest("this topic is no request's")
        if not self.readable:
            return InvalidRequest("the properties of this message cannot be read")
        if self.retain:
            return InvalidRequest("publish requests without the retain flag")
        if self.qos == 0:
            return InvalidRequest("publish requests with QoS 1: with 0 they may get lost")
        for name in OWN_PROPERTIES:
            if len(self.user.get(name, ())) > 1:
                return InvalidRequest(f"the user property {name} stands there more than once")
        if self.correlation is not None and len(self.correlation) > MAX_CORRELATION_BYTES:
            return InvalidRequest(f"the Correlation Data are over {MAX_CORRELATION_BYTES} bytes")
        if self.response_topic is not None and self.reply_to is None:
            return InvalidRequest("the Response Topic is none that answers may go to")
        return None

    def _first(self, name: str) -> str | None:
        values = self.user.get(name)
        return (values[0] or None) if values else None


def read(delivery: Delivery, now: float) -> Incoming:
    """The delivery as plain values; never fails, whatever the publisher wrote."""
    given = delivery.properties
    user: dict[str, list[str]] = {}
    for name, value in _property(given, "UserProperty") or ():
        user.setdefault(name, []).append(value)
    remaining = _property(given, "MessageExpiryInterval")
    return Incoming(
        topic=delivery.topic,
        address=None if delivery.topic is None else topics.read(delivery.topic),
        body=delivery.payload,
        qos=delivery.qos,
        dup=delivery.dup,
        retain=delivery.retain,
        readable=given is not None,
        response_topic=_property(given, "ResponseTopic") or None,
        correlation=_property(given, "CorrelationData") or None,
        content_type=_property(given, "ContentType") or None,
        expires_at=None if remaining is None else now + remaining,
        user=user,
    )


def answer(incoming: Incoming, outcome: Outcome, now: float) -> Properties:
    """The properties of the answer."""
    expires_at = outcome.answer.expires_at
    useful = MAX_ANSWER_SECONDS if expires_at is None else int(expires_at - now)
    correlation = incoming.correlation
    if correlation is None or len(correlation) > MAX_CORRELATION_BYTES:
        correlation = (incoming.message_id or "").encode()
    return publish_properties(
        answer_headers(outcome.answer, incoming.type, incoming.trace),
        ContentType=outcome.content_type,
        CorrelationData=correlation[:MAX_CORRELATION_BYTES],
        MessageExpiryInterval=min(max(useful, MIN_ANSWER_SECONDS), MAX_ANSWER_SECONDS),
    )


def dead_letter(incoming: Incoming, error: RemintError, digest_key: bytes) -> Properties:
    """What an operator may see of a message that cannot be answered.

    Its topics become user properties: whoever reads dead letters must not answer them by mistake.
    Unknown user properties stay behind, as they may hold anything.
    """
    said: dict[str, Any] = {
        "x-remint-reason": error.sentence,
        "x-remint-status": codec.status_of(error),
        "x-remint-size": len(incoming.body),
        "x-remint-digest": hmac.new(digest_key, incoming.body, "sha256").hexdigest(),
        "x-remint-topic": incoming.topic,
        "x-remint-response-topic": incoming.response_topic,
        "x-remint-user-id": incoming.requester,
        "message-id": incoming.message_id,
        "deadline": incoming._first("deadline"),
        **incoming.trace,
    }
    correlation = incoming.correlation or b""
    return publish_properties(
        {name: value for name, value in said.items() if value is not None},
        ContentType=incoming.content_type,
        CorrelationData=correlation[:MAX_CORRELATION_BYTES] or None,
    )


def _property(given: Properties | None, name: str) -> Any:
    return getattr(given, name, None)

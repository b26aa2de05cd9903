"""From an envelope to the bytes of a request."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from adapters.messages.envelope import Envelope
from broker.errors import UnsupportedMediaType

JSON = "application/json"
JSON_TYPES = frozenset({JSON, "text/json"})
PLAIN_ENCODINGS = frozenset({"identity", "utf-8"})


class AnswerSealer(Protocol):
    """Encrypts the answer to one request for the one who asked."""

    content_type: str

    def seal(self, body: bytes) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Opened:
    """What was in the envelope.

    ``requester`` is set where the request itself proves who asks; it outranks the envelope's.
    ``sealer`` is set where the answer must be encrypted, ``encrypted`` where the request was.
    """

    body: bytes = field(repr=False)
    requester: str | None = None
    sealer: AnswerSealer | None = field(default=None, repr=False)
    encrypted: bool = False


class Opener(Protocol):
    """Knows the content types that a request may have."""

    async def open(self, envelope: Envelope) -> Opened:
        """Raises UnsupportedMediaType, and other refusals."""


class PlainOpener:
    """Bodies in JSON, readable by whoever sees the queue."""

    async def open(self, envelope: Envelope) -> Opened:
        if (envelope.content_encoding or "identity").lower() not in PLAIN_ENCODINGS:
            raise UnsupportedMediaType("content_encoding must be identity, or absent")
        if media_type(envelope) not in JSON_TYPES:
            raise UnsupportedMediaType("content_type must be application/json, or absent")
        return Opened(envelope.body)


def media_type(envelope: Envelope) -> str:
    """The media type in lower case, without parameters (RFC 9110, section 8.3.1)."""
    return (envelope.content_type or JSON).partition(";")[0].strip().lower()

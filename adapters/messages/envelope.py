"""A request as a message server brought it: plain values, nothing trusted further than its type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from adapters.trace import trace_of
from broker.errors import Refusal

__all__ = ["Envelope", "trace_of"]


@dataclass(frozen=True, slots=True)
class Envelope:
    """One request. An empty property counts as absent, so it is None.

    ``requester`` is whom the message server vouches for. ``deadline`` is in seconds since the
    epoch; ``expired`` tells that the server gave up waiting for us. ``reply_to`` is where the
    answer goes: a signed request has signed it. ``instance`` is set where the address of the
    message names it, not its body. ``problem`` is what is wrong with the message around its body:
    such a request is refused with it, unread.
    """

    transport: str
    body: bytes = field(repr=False)
    type: str | None = None
    message_id: str | None = None
    requester: str | None = None
    reply_to: str | None = None
    content_type: str | None = None
    content_encoding: str | None = None
    deadline: float | None = None
    expired: bool = False
    instance: str | None = None
    trace: Mapping[str, str] = field(default_factory=dict, repr=False)
    problem: Refusal | None = None

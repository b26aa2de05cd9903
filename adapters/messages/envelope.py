"""A request as a message server brought it: plain values, nothing trusted further than its type."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from broker.errors import Refusal

# W3C Trace Context, section 3.2; what does not look like it is ignored, as section 4.3 asks.
TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
TRACESTATE = re.compile(r"[\x20-\x7e]{1,512}")


@dataclass(frozen=True, slots=True)
class Envelope:
    """One request. An empty property counts as absent, so it is None.

    ``requester`` is whom the message server vouches for. ``deadline`` is in seconds since the
    epoch; ``expired`` tells that the server gave up waiting for us. ``instance`` is set where the
    address of the message names it, not its body. ``problem`` is what is wrong with the message
    around its body: such a request is refused with it, unread.
    """

    transport: str
    body: bytes = field(repr=False)
    type: str | None = None
    message_id: str | None = None
    requester: str | None = None
    content_type: str | None = None
    content_encoding: str | None = None
    deadline: float | None = None
    expired: bool = False
    instance: str | None = None
    trace: Mapping[str, str] = field(default_factory=dict, repr=False)
    problem: Refusal | None = None


def trace_of(given: Mapping[str, Any]) -> dict[str, str]:
    """The trace context among headers or user properties, as far as it is well-formed."""
    parent = given.get("traceparent")
    if not isinstance(parent, str) or not TRACEPARENT.fullmatch(parent):
        return {}
    state = given.get("tracestate")
    if not isinstance(state, str) or not TRACESTATE.fullmatch(state):
        return {"traceparent": parent}
    return {"traceparent": parent, "tracestate": state}

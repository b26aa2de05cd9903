"""W3C Trace Context, as it enters by any transport and leaves with the answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

# Section 3.2.2; what does not look like it is ignored, as section 4.3 asks. Version ff and ids of
# nothing but zeros are not valid.
TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
)
TRACESTATE = re.compile(r"[\x20-\x7e]{1,512}")


def trace_of(given: Mapping[str, Any]) -> dict[str, str]:
    """The trace context among headers or user properties, as far as it is well-formed."""
    parent = given.get("traceparent")
    if not isinstance(parent, str) or not TRACEPARENT.fullmatch(parent):
        return {}
    state = given.get("tracestate")
    if not isinstance(state, str) or not TRACESTATE.fullmatch(state):
        return {"traceparent": parent}
    return {"traceparent": parent, "tracestate": state}

"""What a server says when it refuses: for whoever has to find out what the requests lack."""

from __future__ import annotations

import re

MOST_READ = 2_000
MOST_SHOWN = 300
_OPAQUE = re.compile(r"[\w.~+/=-]{40,}")
"""As long as this are tokens, sessions and keys; no word of a sentence is."""


def words(body: bytes) -> str:
    """The beginning of an answer in one line; what could be a credential is left out."""
    text = "".join(
        one if one.isprintable() else " " for one in body[:MOST_READ].decode("utf-8", "replace")
    )
    return _OPAQUE.sub("…", " ".join(text.split()))[:MOST_SHOWN]

"""What tells a dead letter that a broker of this deployment wrote from one that anybody else did.

Whoever may publish to ``remint.dead`` could leave a letter there that an operator then sends in
another's name. So a letter carries a MAC over all that it would be sent again with.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any, Protocol

HEADER = "x-remint-mac"
PURPOSE = b"dead letter"
HEADERS = ("x-remint-user-id", "x-remint-reason", "deadline")


class Letter(Protocol):
    """A message, on its way out or as it came."""

    body: bytes
    headers: Any
    type: str | None
    message_id: str | None
    correlation_id: str | None
    reply_to: str | None
    content_type: str | None
    content_encoding: str | None


def of(letter: Letter, digest_key: bytes) -> str:
    """HMAC-SHA-256 in hexadecimal, under a key that is made of ``digest_key`` for this alone."""
    headers: Mapping[str, Any] = letter.headers
    parts = [
        letter.type,
        letter.message_id,
        letter.correlation_id,
        letter.reply_to,
        letter.content_type,
        letter.content_encoding,
        *(headers.get(name) for name in HEADERS),
        hashlib.sha256(letter.body).hexdigest(),
    ]
    text = json.dumps(parts, default=str).encode()
    return hmac.new(hmac.digest(digest_key, PURPOSE, "sha256"), text, "sha256").hexdigest()


def holds(letter: Letter, digest_key: bytes) -> bool:
    """Whether the letter is as a broker with this key wrote it."""
    given = str(letter.headers.get(HEADER, "")).encode()
    return hmac.compare_digest(given, of(letter, digest_key).encode())

"""Compact JWS and JWE, taken apart strictly before any library or key sees them.

What a library would ignore, guess or fetch is refused here: unknown header members (``crit``,
``zip``, ``p2c``, ``jku``, ``x5u``, ``jwk`` among them), members written twice, base64 that can be
written in two ways.
"""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

from broker.errors import InvalidRequest

MAX_HEADER_BYTES = 8 * 1024
MAX_KID_LENGTH = 255
MEDIA_PREFIX = "application/"

_BASE64URL = re.compile(rb"[A-Za-z0-9_-]*")


def unpadded(segment: bytes) -> bytes:
    """Base64url without padding, in its one spelling (RFC 7515, section 2). Raises ValueError."""
    if not _BASE64URL.fullmatch(segment):
        raise ValueError("not base64url")
    data = urlsafe_b64decode(segment + b"=" * (-len(segment) % 4))
    if urlsafe_b64encode(data).rstrip(b"=") != segment:
        raise ValueError("not the one spelling")
    return data


def header(segment: bytes, known: frozenset[str]) -> dict[str, Any]:
    """A protected header with ``known`` members alone. Raises InvalidRequest."""
    if len(segment) > MAX_HEADER_BYTES:
        raise InvalidRequest(f"the JOSE header is over {MAX_HEADER_BYTES} bytes")
    try:
        found = json.loads(unpadded(segment), object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise InvalidRequest(
            "the JOSE header must be a JSON object in base64url, no member twice"
        ) from None
    if not isinstance(found, dict):
        raise InvalidRequest("the JOSE header must be a JSON object")
    if not known.issuperset(found):
        raise InvalidRequest(f"the JOSE header may have {', '.join(sorted(known))} alone")
    return found


def kid_of(found: dict[str, Any]) -> str:
    """The key that a header names. Raises InvalidRequest."""
    kid = found.get("kid")
    if not isinstance(kid, str) or not kid or len(kid) > MAX_KID_LENGTH:
        raise InvalidRequest("the JOSE header must name the key: a string kid")
    return kid


def media(found: dict[str, Any], member: str) -> str:
    """``typ`` or ``cty`` in lower case, without the prefix that may be left out (RFC 7515, 4.1.9);
    empty where absent. Raises InvalidRequest."""
    value = found.get(member, "")
    if not isinstance(value, str):
        raise InvalidRequest(f"{member} in the JOSE header must be a string")
    return value.lower().removeprefix(MEDIA_PREFIX)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member twice")
    return found

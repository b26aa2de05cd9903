"""What makes two requests the same request.

A request id means nothing alone: it is scoped to whoever sent it. That is the authenticated
requester, else whoever holds the subject token. The fingerprint tells whether a second request
under one id is a retry or a different request. Both are keyed hashes (HMAC-SHA-256) under a key
that is not in the store, so that a copy of the store helps nobody to guess a password.
"""

from __future__ import annotations

import hmac

from broker.model import TranslationRequest

MAX_REQUEST_ID_LENGTH = 255


def scope(request: TranslationRequest, key: bytes) -> str:
    """Whose request id this is."""
    if request.requester.id is not None:
        return f"requester:{request.requester.id}"
    return "token:" + _keyed(key, b"scope", request.subject_token.canonical).hex()


def fingerprint(request: TranslationRequest, key: bytes) -> bytes:
    """What was asked, the way back left out: the same for a retry, different for anything else."""
    return _keyed(
        key,
        b"request",
        request.instance.encode(),
        (request.requester.id or "").encode(),
        request.subject_token.canonical,
        request.requested_token.canonical,
    )


def _keyed(key: bytes, *parts: bytes) -> bytes:
    """HMAC over parts, each with its length before it, so that no two lists give the same bytes."""
    mac = hmac.new(key, digestmod="sha256")
    for part in parts:
        mac.update(len(part).to_bytes(4, "big"))
        mac.update(part)
    return mac.digest()

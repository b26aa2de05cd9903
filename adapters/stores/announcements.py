"""An announcement as a store keeps it: sealed, since it may name who a token speaks for.

It is bound to the digest of its id, which is all that stands outside the seal.
"""

from __future__ import annotations

import orjson

from adapters.keys.root_secret import Sealer
from adapters.stores.sealing import opened, plain
from broker.model import Announcement

OUTBOX_KEY = "outbox"
"""What the sealing key is derived under; the same in every kind of store."""

JOURNAL_KEY = "journal"

_JOURNAL_PLACE = plain([JOURNAL_KEY])


def sealed(sealer: Sealer, digest: bytes, announcement: Announcement) -> bytes:
    """Raises InvalidRequest for a name that is no Unicode text."""
    head = [
        announcement.id,
        announcement.type,
        announcement.routing_key,
        announcement.due_at,
        announcement.request,
        announcement.alias,
    ]
    return sealer.seal(plain(head) + b"\n" + announcement.body, _place(digest))


def unsealed(sealer: Sealer, digest: bytes, value: bytes) -> Announcement:
    """Raises Unavailable if it was tampered with."""
    head, _, body = opened(sealer, value, _place(digest)).partition(b"\n")
    id, type_, routing_key, due_at, request, alias = orjson.loads(head)
    return Announcement(
        id=id,
        type=type_,
        routing_key=routing_key,
        body=body,
        due_at=due_at,
        request=None if request is None else (request[0], request[1]),
        alias=alias,
    )


def sealed_body(sealer: Sealer, body: bytes) -> bytes:
    """For the journal."""
    return sealer.seal(body, _JOURNAL_PLACE)


def unsealed_body(sealer: Sealer, value: bytes) -> bytes:
    """Raises Unavailable if it was tampered with."""
    return opened(sealer, value, _JOURNAL_PLACE)


def _place(digest: bytes) -> bytes:
    return plain(["announcement", digest.hex()])

"""One event of each type, and the announcements of a writer."""

from __future__ import annotations

from typing import Any

import orjson

from adapters.events.cloudevents import CloudEvents
from broker import events
from broker.events import Event
from broker.model import Announcement
from tests.support.door import FrozenClock

URL = "https://sts.example.com"
KEY = b"k" * 32
AT = 1_800_000_000.25
DIGEST = "ab" * 32
REALM = "/fred/bobo"

SAMPLES: tuple[Event, ...] = (
    events.TokenIssued(AT, REALM, "fred/bobo/x", "t-1", "SAML2", DIGEST, "demo", 1_800_000_600),
    events.TranslationRejected(AT, REALM, "fred/bobo/x", "InvalidToken"),
    events.TokenCancelled(AT, REALM, "fred/bobo/x", "t-1"),
    events.TokenExpired(AT, REALM, "fred/bobo/x", "t-1"),
    events.InstancePublished(AT, REALM, "fred/bobo/x", "17"),
    events.InstanceUpdated(AT, REALM, "fred/bobo/x", "18"),
    events.InstanceDeleted(AT, REALM, "fred/bobo/x"),
    events.KeyRotated(AT, REALM, "kid-1", "RS256", AT + 300),
    events.KeyRevoked(AT, REALM, "kid-1", "RS256", "kid-2"),
)


def a_writer(clock: FrozenClock | None = None, **options: Any) -> CloudEvents:
    return CloudEvents(**{"url": URL, "key": KEY, "clock": clock or FrozenClock(AT), **options})


def issued(number: int = 1, **changes: Any) -> events.TokenIssued:
    """A token of its own for each number."""
    given = {
        "at": AT,
        "realm": "/",
        "instance": "orders",
        "token_id": f"t-{number}",
        "token_type": "OPENIDCONNECT",
        "digest": DIGEST,
        "principal": "demo",
        "expires_at": 1_800_000_600,
    }
    return events.TokenIssued(**{**given, **changes})


def an_announcement(number: int = 1, clock: FrozenClock | None = None) -> Announcement:
    return a_writer(clock).announcement(issued(number))


def written(announcement: Announcement) -> dict[str, Any]:
    """The CloudEvent that goes out."""
    body: dict[str, Any] = orjson.loads(announcement.body)
    return body

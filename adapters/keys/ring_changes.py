"""What is done to a ring of keys: pure steps from one document to the next.

``margin`` is how long a key must have been published before it signs, in seconds: until then a
relying party may hold a JWKS that lacks it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from adapters.keys.ring_document import (
    CLOCK_SKEW_SECONDS,
    NEXT,
    RingDocument,
    StoredKey,
)
from broker.errors import Conflict

MAX_KEYS = 64
"""How many keys of a realm are kept; each is in the JWKS that every relying party fetches."""


@dataclass(frozen=True, slots=True)
class KeyNeeds:
    """What the instances of a realm ask of its keys.

    ``lifetime_seconds`` is that of their longest token, ``key_ids`` the keys they name, and
    ``algorithms`` those that they sign with whichever key is active. ``stored`` are the keys of key
    stores that they name: location and alias.
    """

    lifetime_seconds: int = 0
    key_ids: frozenset[str] = frozenset()
    algorithms: frozenset[str] = frozenset()
    stored: frozenset[tuple[str, str]] = frozenset()

    def joined(self, other: KeyNeeds) -> KeyNeeds:
        longest = max(self.lifetime_seconds, other.lifetime_seconds)
        return KeyNeeds(
            longest,
            self.key_ids | other.key_ids,
            self.algorithms | other.algorithms,
            self.stored | other.stored,
        )


NO_NEEDS = KeyNeeds()


def check_room(document: RingDocument) -> None:
    """Raises Conflict if the ring is full."""
    if sum(key.revoked_at is None for key in document.keys) >= MAX_KEYS:
        raise Conflict(
            f"this realm holds {MAX_KEYS} keys, which is the most there can be; "
            "wait until the retired ones end"
        )


def check_tombstones(document: RingDocument) -> None:
    """Raises Conflict if one more revocation would need one more key, after too many."""
    if sum(key.revoked_at is not None for key in document.keys) >= MAX_KEYS:
        raise Conflict(
            f"{MAX_KEYS} keys of this realm were revoked of late; "
            "wait until their tokens have ended, or import a key that takes over"
        )


def added(document: RingDocument, key: StoredKey) -> RingDocument:
    """``key`` as a standby key; the first of its algorithm signs at once."""
    with_key = document.with_key(key)
    if any(other.revoked_at is None for other in document.signing_order(key.algorithm)):
        return with_key
    return with_key.signing_from(key, key.published_at)


def rotated(
    document: RingDocument, key: StoredKey, now: float, margin: float, lasts: float
) -> RingDocument:
    """``key`` signs as soon as relying parties know it, and the active key has signed for
    ``lasts`` seconds."""
    active = document.active(key.algorithm, now)
    if active is None:
        return added(document, key)
    moment = max(now, key.published_at + margin, (active.signs_from or 0.0) + lasts)
    return document.signing_from(key, moment)


def republished(document: RingDocument, kid: str, now: float, margin: float) -> RingDocument:
    """The key became visible only ``now``: what was reckoned from its publication moves on."""
    key = document.key(kid)
    if key is None:
        return document
    late = replace(key, published_at=now)
    moved = document.with_key(late)
    if key.signs_from is None or key.signs_from <= key.published_at:
        return moved
    return moved.signing_from(late, max(key.signs_from, now + margin))


def due(document: RingDocument, algorithm: str, now: float, ahead: float, every: float) -> bool:
    """Whether a successor is to be found now, so as to take over when the active key has signed
    for ``every`` seconds; ``ahead`` is how long before that."""
    active = document.active(algorithm, now)
    if active is None or active.signs_from is None or document.scheduled(algorithm, now):
        return False
    return active.signs_from + every - ahead <= now


def revoked(document: RingDocument, key: StoredKey, now: float) -> RingDocument:
    """``key`` as a tombstone, without its private half."""
    begun = key.signs_from if key.signs_from is not None and key.signs_from <= now else None
    tombstone = replace(key, signs_from=begun, private_key=b"", named=False, revoked_at=now)
    return document.with_key(tombstone)


def standing_in(
    document: RingDocument, successor: StoredKey, revoked_key: StoredKey, now: float
) -> RingDocument:
    """``successor`` signs at once in the place of a revoked key.

    It has begun a little in the past, so that brokers whose clocks are behind agree.
    """
    begun = max(revoked_key.signs_from or 0.0, now - CLOCK_SKEW_SECONDS)
    return document.signing_from(successor, begun)


def covered(document: RingDocument, needs: KeyNeeds) -> RingDocument:
    """The ring allows for tokens of that lifetime, and keeps the keys that instances name."""
    keys = tuple(
        replace(key, named=True) if key.kid in needs.key_ids and key.revoked_at is None else key
        for key in document.keys
    )
    longest = max(document.longest_lifetime, needs.lifetime_seconds)
    return replace(document, keys=keys, longest_lifetime=longest)


def released(document: RingDocument, needs: KeyNeeds, now: float) -> RingDocument:
    """Keys that no instance names any more end when their last tokens do."""
    until = now + document.longest_lifetime + CLOCK_SKEW_SECONDS
    keys = tuple(
        replace(key, named=False, keep_until=until)
        if key.named and key.kid not in needs.key_ids
        else key
        for key in document.keys
    )
    return replace(document, keys=keys)


def without_ended(document: RingDocument, now: float) -> RingDocument:
    keys = tuple(key for key in document.keys if not document.ended(key, now))
    return replace(document, keys=keys)


def waits(document: RingDocument, key: StoredKey, now: float, margin: float) -> bool:
    """Whether a relying party may not know ``key`` yet."""
    return document.state(key, now) == NEXT and key.published_at + margin > now

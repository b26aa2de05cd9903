"""What has happened, as frozen facts. Never a token in an event: its id and digest.

``at`` is seconds since the epoch. Events follow a translation; nothing waits for them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Event:
    """A fact about one realm."""

    at: float
    realm: str


@dataclass(frozen=True, slots=True)
class TokenIssued(Event):
    instance: str
    token_id: str
    token_type: str
    digest: str
    principal: str
    expires_at: int


@dataclass(frozen=True, slots=True)
class TranslationRejected(Event):
    instance: str
    reason: str


@dataclass(frozen=True, slots=True)
class TokenCancelled(Event):
    instance: str
    token_id: str


@dataclass(frozen=True, slots=True)
class TokenExpired(Event):
    instance: str
    token_id: str


@dataclass(frozen=True, slots=True)
class InstancePublished(Event):
    instance: str
    revision: str


@dataclass(frozen=True, slots=True)
class InstanceUpdated(Event):
    instance: str
    revision: str


@dataclass(frozen=True, slots=True)
class InstanceDeleted(Event):
    instance: str


@dataclass(frozen=True, slots=True)
class KeyRotated(Event):
    """A key is going to take over, or has (routing key ``key.rotated``).

    ``signs_from`` is seconds since the epoch.
    """

    key_id: str
    algorithm: str
    signs_from: float


@dataclass(frozen=True, slots=True)
class KeyRevoked(Event):
    """A key is not to be believed any more (routing key ``key.revoked``).

    ``successor`` is the key that signs from now on.
    """

    key_id: str
    algorithm: str
    successor: str

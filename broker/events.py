"""What has happened, as frozen facts. Never a token in an event: its id and digest.

``at`` is seconds since the epoch. Events follow a translation; nothing waits for them.
"""

from __future__ import annotations

from broker.value import value


@value
class Event:
    """A fact about one realm."""

    at: float
    realm: str


@value
class TokenIssued(Event):
    instance: str
    token_id: str
    token_type: str
    digest: str
    principal: str
    expires_at: int


@value
class TranslationRejected(Event):
    instance: str
    reason: str


@value
class TokenCancelled(Event):
    instance: str
    token_id: str


@value
class TokenExpired(Event):
    instance: str
    token_id: str


@value
class InstancePublished(Event):
    instance: str
    revision: str


@value
class InstanceUpdated(Event):
    instance: str
    revision: str


@value
class InstanceDeleted(Event):
    instance: str


@value
class KeyRotated(Event):
    """A key is going to take over, or has (routing key ``key.rotated``).

    ``signs_from`` is seconds since the epoch.
    """

    key_id: str
    algorithm: str
    signs_from: float


@value
class KeyRevoked(Event):
    """A key is not to be believed any more (routing key ``key.revoked``).

    ``successor`` is the key that signs from now on.
    """

    key_id: str
    algorithm: str
    successor: str

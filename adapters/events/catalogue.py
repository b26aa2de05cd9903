"""The types of events, each with its name, its members and what tells one fact from another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from operator import attrgetter
from types import MappingProxyType
from typing import Any, Final, get_type_hints

from broker import events
from broker.events import Event

PREFIX: Final = "remint."
"""Stands before a type's name where it travels among those of other programs."""

JSON_TYPES: Mapping[type, str] = MappingProxyType({str: "string", int: "integer", float: "number"})

MEMBERS: Mapping[str, str] = MappingProxyType(
    {
        "realm": "The realm; / is the root realm.",
        "instance": "Id of the instance.",
        "token_id": "Id of the token: jti of an ID token, ID of an assertion.",
        "token_type": "Type of the token, such as OPENIDCONNECT or SAML2.",
        "digest": "SHA-256 of the token, in hexadecimal; never the token.",
        "principal": "Who the token speaks for: a keyed pseudonym, or the name in plain text.",
        "expires_at": "When the token ends, in seconds since the epoch.",
        "reason": "Name of the error, as docs/errors.md lists them.",
        "revision": "Revision of the instance.",
        "key_id": "The kid of the key: its RFC 7638 thumbprint.",
        "algorithm": "What the key signs with, as RFC 7518 names it.",
        "signs_from": "From when the key signs, in seconds since the epoch.",
        "successor": "The kid of the key that signs from now on; empty where there is none.",
    }
)


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of event. ``version`` is raised by an incompatible change of its members.

    ``subject`` is the member that names what the event is about. ``identity`` are the members that
    tell one fact from another; without any, each event is a fact of its own.
    """

    event: type[Event]
    name: str
    says: str
    subject: str
    identity: tuple[str, ...] = ()
    version: int = 1
    members: Mapping[str, str] = field(init=False)
    """Names to JSON types. ``at`` is not among them: it is the CloudEvent's ``time``."""
    values: Callable[[Event], tuple[Any, ...]] = field(init=False, repr=False, compare=False)
    """What an event of this kind has for each of its members, of which there are two or more."""

    def __post_init__(self) -> None:
        hints = get_type_hints(self.event)
        names = [item.name for item in fields(self.event) if item.name != "at"]
        object.__setattr__(
            self, "members", MappingProxyType({name: JSON_TYPES[hints[name]] for name in names})
        )
        object.__setattr__(self, "values", attrgetter(*names))

    @property
    def type(self) -> str:
        """The CloudEvent's ``type``."""
        return PREFIX + self.name

    @property
    def schema_id(self) -> str:
        """The ``$id`` of the schema of ``data``, which the CloudEvent's ``dataschema`` names."""
        return f"urn:remint:schema:event:{self.name}:{self.version}"


# A token is issued and ended once, whoever tells of it; other facts can recur, so the moment is
# part of them.
KINDS: Final = (
    Kind(events.TokenIssued, "token.issued", "A token was issued.", "instance", ("token_id",)),
    Kind(
        events.TranslationRejected,
        "token.rejected",
        "A translation was refused. Announced at best effort.",
        "instance",
    ),
    Kind(
        events.TokenCancelled,
        "token.cancelled",
        "A token was taken back before its time.",
        "instance",
        ("token_id",),
    ),
    Kind(
        events.TokenExpired,
        "token.expired",
        "A token that was kept has come to its end.",
        "instance",
        ("token_id",),
    ),
    Kind(
        events.InstancePublished,
        "instance.published",
        "An instance was published.",
        "instance",
        ("instance", "revision", "at"),
    ),
    Kind(
        events.InstanceUpdated,
        "instance.updated",
        "An instance was replaced by another revision.",
        "instance",
        ("instance", "revision", "at"),
    ),
    Kind(
        events.InstanceDeleted,
        "instance.deleted",
        "An instance is not published any more.",
        "instance",
        ("instance", "at"),
    ),
    Kind(
        events.KeyRotated,
        "key.rotated",
        "A key is going to take over, or has.",
        "key_id",
        ("realm", "key_id", "signs_from", "at"),
    ),
    Kind(
        events.KeyRevoked,
        "key.revoked",
        "A key is not to be believed any more.",
        "key_id",
        ("realm", "key_id", "at"),
    ),
)

_BY_EVENT: Mapping[type[Event], Kind] = MappingProxyType({kind.event: kind for kind in KINDS})


def kind_of(event: Event) -> Kind:
    """Raises KeyError for an event that is not in ``KINDS``."""
    return _BY_EVENT[type(event)]

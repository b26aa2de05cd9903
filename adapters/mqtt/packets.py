"""What is sent and what comes, apart from any connection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

QOS: Final = 1
FIRST_FAILURE = 0x80  # reason codes from here on are failures (MQTT 5, section 2.4)
NO_MATCHING_SUBSCRIBERS = 0x10


class UnconfirmedError(Exception):
    """Nobody knows whether the message arrived: build a new link, and the request comes again."""


class CannotConnect(Exception):
    """The message server is not there, or will not have us; the text says which."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A PUBLISH as it arrived. What could not be read is None. ``dup``: perhaps it came before."""

    topic: str | None
    payload: bytes = field(repr=False)
    qos: int
    dup: bool
    retain: bool
    mid: int
    properties: Properties | None = field(repr=False)


def publish_properties(user: Mapping[str, Any] | None = None, **properties: Any) -> Properties:
    """The properties of a PUBLISH; those that are None are left out. ``user`` is its user
    properties, each written as text."""
    made = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    for name, value in properties.items():
        if value is not None:
            setattr(made, name, value)
    if user:
        made.UserProperty = [(name, str(value)) for name, value in user.items()]
    return made

"""What a deployment's connections are called at the message server.

Whoever connects under the client id of another takes its session over, and may throw away what
waits in it (MQTT 5, section 3.1.4); Mosquitto lets any login do so. So a client id ends in digits
that only the brokers of one deployment can compute.
"""

from __future__ import annotations

import hmac

from adapters.mqtt.topics import REPLIES, Lane

HIDDEN_DIGITS = 32  # hexadecimal: 128 bits

_ANSWERS = "-answers"


class Names:
    """Of every slot. ``key`` is the deployment's for this purpose."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def client_id(self, slot: int, lane: Lane) -> str:
        """Of the connection that has a lane's session."""
        return self._hidden("client id", f"remint-{slot}{lane.name}")

    def answers(self, slot: int) -> str:
        """The client id of the connection that answers go over."""
        return self._hidden("client id", f"remint-{slot}{_ANSWERS}")

    def marker(self, slot: int, lane: Lane, user: str) -> str:
        """A topic for messages of a session to itself, below the broker's own replies.

        Its digits are not those of the client id: others may be allowed to read replies.
        """
        return f"{REPLIES}/{user}/{self._hidden('marker', f'remint-{slot}{lane.name}')}"

    def _hidden(self, purpose: str, name: str) -> str:
        digest = hmac.new(self._key, f"{purpose} {name}".encode(), "sha256").hexdigest()
        return f"{name}-{digest[:HIDDEN_DIGITS]}"

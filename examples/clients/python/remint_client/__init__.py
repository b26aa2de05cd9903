"""Asks a Remint token broker for tokens over RabbitMQ: nothing lost, nothing twice.

:class:`RemintClient` is for programs with an event loop, ``remint_client.sync`` for the others.
"""

from remint_client.answers import IssuedToken
from remint_client.client import RemintClient
from remint_client.errors import (
    Closed,
    KeysUnavailable,
    NotAllowed,
    Refused,
    RemintError,
    TimedOut,
    UnexpectedAnswer,
)

__all__ = [
    "Closed",
    "IssuedToken",
    "KeysUnavailable",
    "NotAllowed",
    "Refused",
    "RemintClient",
    "RemintError",
    "TimedOut",
    "UnexpectedAnswer",
]

"""OPENAM: a session of ours, accepted as input."""

from handlers import Handlers, Ports
from handlers.session.validator import SessionValidator


def handlers(ports: Ports) -> Handlers:
    """What this folder offers."""
    return Handlers(validator=SessionValidator(ports.sessions, ports.users))

"""OPENAM: a session of ours, accepted as input."""

from handlers import Handlers, Ports
from handlers.session.validator import SessionValidator
from handlers.targeted import TargetedValidator


def handlers(ports: Ports) -> Handlers:
    """What this folder offers."""
    validator = SessionValidator(ports.sessions, ports.users)
    targeted = TargetedValidator(validator, ports.targets, lambda each: {"session_id": each})
    return Handlers(validator=targeted)

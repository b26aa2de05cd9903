"""USERNAME: a name and a password, accepted as input."""

from handlers import Handlers, Ports
from handlers.username.validator import UsernameValidator


def handlers(ports: Ports) -> Handlers:
    """What this folder offers."""
    return Handlers(validator=UsernameValidator(ports.authenticator))

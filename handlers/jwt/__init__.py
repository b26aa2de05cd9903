"""OPENIDCONNECT: an ID token, accepted from trusted issuers and issued."""

from handlers import Handlers, Ports
from handlers.jwt.provider import OidcProvider
from handlers.jwt.validator import OidcValidator


def handlers(ports: Ports) -> Handlers:
    """What this folder offers."""
    validator = OidcValidator(ports.issuers, ports.users, ports.tokens)
    return Handlers(validator=validator, provider=OidcProvider())

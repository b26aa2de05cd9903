"""OPENIDCONNECT: an ID token, accepted from trusted issuers and issued."""

from handlers import Handlers, Ports
from handlers.jwt.provider import OidcProvider
from handlers.jwt.validator import OidcValidator
from handlers.targeted import TargetedValidator


def handlers(ports: Ports) -> Handlers:
    """What this folder offers."""
    validator = OidcValidator(ports.issuers, ports.users, ports.tokens)
    targeted = TargetedValidator(validator, ports.targets, lambda each: {"id_token": each})
    return Handlers(validator=targeted, provider=OidcProvider())

"""OPENIDCONNECT: an ID token, issued."""

from handlers import Handlers, Ports
from handlers.jwt.provider import OidcProvider


def handlers(_ports: Ports) -> Handlers:
    """What this folder offers."""
    return Handlers(provider=OidcProvider())

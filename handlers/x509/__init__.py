"""X509: a client certificate, which comes beside the request."""

from handlers import Handlers, Ports
from handlers.x509.validator import X509Validator


def handlers(ports: Ports) -> Handlers:
    """What this folder offers."""
    return Handlers(validator=X509Validator(ports.authorities, ports.users))

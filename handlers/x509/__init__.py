"""X509: a client certificate, which comes beside the request."""

from handlers import Handlers, Ports
from handlers.targeted import TargetedValidator
from handlers.x509.validator import X509Validator


def handlers(ports: Ports) -> Handlers:
    """What this folder offers."""
    validator = X509Validator(ports.authorities, ports.users)
    targeted = TargetedValidator(validator, ports.targets, lambda each: {"certificate": each.der})
    return Handlers(validator=targeted)

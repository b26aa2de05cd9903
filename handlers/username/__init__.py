"""USERNAME: a name and a password, accepted as input."""

from collections.abc import Mapping
from typing import Any

from handlers import Handlers, Ports
from handlers.targeted import TargetedValidator
from handlers.username.validator import Credential, UsernameValidator


def handlers(ports: Ports) -> Handlers:
    """What this folder offers."""
    validator = UsernameValidator(ports.authenticator)
    return Handlers(validator=TargetedValidator(validator, ports.targets, shown))


def shown(credential: Credential) -> Mapping[str, Any]:
    """The credential as evidence."""
    return {
        "username": credential.username,
        "password": credential.password,
        "otp": credential.otp,
        "address": credential.address,
        "requester": credential.sender,
    }

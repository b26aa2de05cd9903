"""What may be written of a module of the kind ``radius``; every problem in one answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

import structlog

from adapters.authentication.modules.common import flag_or, whole_within
from adapters.authentication.modules.radius.addresses import Address, address
from adapters.authentication.modules.radius.attributes import Attribute, attribute
from adapters.authentication.modules.radius.packets import MAX_VALUE_BYTES
from adapters.authentication.modules.subjects import LINK
from adapters.instances.members import Members
from broker.model import Secret

SECRET = "secret"  # noqa: S105  # the name of a key
REQUIRE = "require_message_authenticator"
KEYS = (
    *("servers", SECRET, "timeout", "tries", "use", "nas_identifier", "attributes"),
    *(REQUIRE, LINK),
)

MAX_SERVERS = 8
SHORT_SECRET = 16
"""RFC 2865, section 3: a secret shorter than that can be guessed from what goes over the wire."""
DEFAULT_TIMEOUT_SECONDS = 2
MAX_TIMEOUT_SECONDS = 60  # somebody may have to look at a telephone
DEFAULT_TRIES = 3
MAX_TRIES = 10
NAS_IDENTIFIER = "remint"
MAX_ATTRIBUTES = 50

_log = structlog.get_logger(__name__)


class Use(Enum):
    """What the servers are asked about."""

    PASSWORD = "password"  # noqa: S105  # a name and a password
    OTP = "otp"
    """The code of somebody whom a module before this one knows."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """A module of the kind ``radius``; ``timeout`` in seconds for a whole login."""

    servers: tuple[Address, ...]
    secret: Secret
    timeout: int
    tries: int
    use: Use
    nas_identifier: str
    signed_answers: bool
    attributes: Mapping[str, Attribute] = field(default_factory=dict)


def read(module: str, members: Members) -> Configuration:
    """What is wrong goes to ``members.problems``."""
    members.only(*KEYS)
    return Configuration(
        servers=_servers(members),
        secret=_secret(module, members),
        timeout=whole_within(members, "timeout", DEFAULT_TIMEOUT_SECONDS, MAX_TIMEOUT_SECONDS),
        tries=whole_within(members, "tries", DEFAULT_TRIES, MAX_TRIES),
        use=_use(members),
        nas_identifier=_nas_identifier(members),
        signed_answers=flag_or(members, REQUIRE, default=True),
        attributes=_attributes(members),
    )


def _servers(members: Members) -> tuple[Address, ...]:
    named = members.texts("servers")
    found = [each for each in map(address, named) if each is not None]
    if not 0 < len(named) <= MAX_SERVERS or len(set(found)) < len(named):
        members.wrong(
            "servers",
            f"name 1 to {MAX_SERVERS} servers, each once, as host, host:port or [IPv6]:port",
        )
    return tuple(found)


def _secret(module: str, members: Members) -> Secret:
    secret = members.secret(SECRET)
    if secret is None:
        members.wrong(SECRET, "write the secret that the servers share with this broker")
        return Secret("")
    if len(secret.reveal().encode()) < SHORT_SECRET:
        _log.warning("radius_secret_is_short", module=module, least_bytes=SHORT_SECRET)
    return secret


def _use(members: Members) -> Use:
    text = members.text("use", Use.PASSWORD.value)
    try:
        return Use(text)
    except ValueError:
        members.wrong("use", f"choose one of {', '.join(each.value for each in Use)}")
        return Use.PASSWORD


def _nas_identifier(members: Members) -> str:
    text = members.text("nas_identifier", NAS_IDENTIFIER)
    if len(text.encode()) > MAX_VALUE_BYTES:
        members.wrong("nas_identifier", f"write up to {MAX_VALUE_BYTES} bytes")
    return text


def _attributes(members: Members) -> dict[str, Attribute]:
    named = members.text_map("attributes")
    if len(named) > MAX_ATTRIBUTES:
        members.wrong("attributes", f"name up to {MAX_ATTRIBUTES}")
    found = {}
    for mine, theirs in named.items():
        known = attribute(theirs)
        if not mine or known is None:
            members.wrong(
                f"attributes.{mine}",
                "write the name of an attribute of RFC 2865, its number,"
                " or 26.VENDOR.NUMBER for a vendor's; not one that is secret",
            )
        else:
            found[mine] = known
    return found

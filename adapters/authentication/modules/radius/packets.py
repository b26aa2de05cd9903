"""Access-Requests, and which answers belong to them, on pyrad's codec (RFC 2865, RFC 2869).

An answer counts only if it carries the identifier of its request, the Response Authenticator of its
authenticator, and a Message-Authenticator: without that, somebody between can turn a refusal into
an acceptance (Blast-RADIUS, CVE-2024-3596).
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from pyrad import packet

from adapters.authentication.modules.radius.attributes import (
    DICTIONARY,
    REPLY_MESSAGE,
    STATE,
    Attribute,
)
from adapters.printable import printable

MAX_PACKET_BYTES = 4096  # RFC 2865, section 3
HEADER_BYTES = 20
MAX_PASSWORD_BYTES = 128  # RFC 2865, section 5.2
MAX_VALUE_BYTES = 253  # RFC 2865, section 5
MESSAGE_AUTHENTICATOR = 80
MESSAGE_AUTHENTICATOR_BYTES = 16
AT_MOST_ONCE = (STATE.key, MESSAGE_AUTHENTICATOR)
VIRTUAL = 5
"""NAS-Port-Type of a login that uses no port (RFC 2865, section 5.41)."""


class Code(IntEnum):
    """What a server says (RFC 2865, section 3)."""

    ACCEPT = 2
    REJECT = 3
    CHALLENGE = 11


class NotAnAnswer(Exception):
    """A datagram that is no answer to the request; its words are for the log."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server says to a request."""

    code: Code
    values: Mapping[int | tuple[int, int], tuple[bytes, ...]] = field(repr=False)

    def texts(self, attribute: Attribute) -> tuple[str, ...]:
        """The printable values of an attribute, in order."""
        found = (attribute.text(each) for each in self.values.get(attribute.key, ()))
        return tuple(text for text in found if text)

    def message(self, most: int) -> str:
        """What people are to read: one line of up to ``most`` characters, all of them printable."""
        text = b" ".join(self.values.get(REPLY_MESSAGE.key, ())).decode(errors="replace")
        return printable(text)[:most].strip()

    @property
    def state(self) -> bytes | None:
        """What a later request has to carry (RFC 2865, section 5.24)."""
        return next(iter(self.values.get(STATE.key, ())), None)


@dataclass(frozen=True, slots=True)
class Login:
    """What a server is asked; ``password`` has at most MAX_PASSWORD_BYTES."""

    username: str
    password: bytes = field(repr=False)
    nas_identifier: str
    address: str | None
    state: bytes | None = field(default=None, repr=False)


class Request:
    """One Access-Request to one server, with an identifier and an authenticator of its own.

    ``data`` is what is sent, and sent again.
    """

    def __init__(self, login: Login, secret: bytes, *, signed_answers: bool = True) -> None:
        asked = packet.AuthPacket(id=secrets.randbelow(256), secret=secret, dict=DICTIONARY)
        asked.add_message_authenticator()  # the first attribute, where it protects the most
        asked["User-Name"] = login.username
        asked["User-Password"] = asked.PwCrypt(login.password)
        asked["NAS-Identifier"] = login.nas_identifier
        asked["NAS-Port-Type"] = VIRTUAL
        if login.address is not None:
            asked["Calling-Station-Id"] = login.address
        if login.state is not None:
            asked["State"] = login.state
        self.data: bytes = asked.RequestPacket()
        self._asked = asked
        self._signed_answers = signed_answers

    def answer(self, data: bytes) -> Answer:
        """What a datagram says, if it answers this request. Raises NotAnAnswer."""
        _check_form(data)
        try:
            told = self._asked.CreateReply(packet=data)
        except (packet.PacketError, ValueError):
            raise NotAnAnswer("malformed") from None
        if told.id != self._asked.id:
            raise NotAnAnswer("to another request")
        if told.code not in tuple(Code):
            raise NotAnAnswer("of an unknown kind")
        if self._signed_answers and told.message_authenticator is None:
            raise NotAnAnswer("without a Message-Authenticator")
        if not self._asked.VerifyReply(told, enforce_ma=self._signed_answers):
            raise NotAnAnswer("with a wrong authenticator")
        keys = OrderedDict.keys(told)
        return Answer(
            Code(told.code), {key: tuple(OrderedDict.__getitem__(told, key)) for key in keys}
        )


def _check_form(data: bytes) -> None:
    """Raises NotAnAnswer unless the attributes fill the packet to its end (RFC 2865, section 3):
    what a codec makes of anything else is not ours to guess."""
    if len(data) > MAX_PACKET_BYTES:
        raise NotAnAnswer("too long")
    length = int.from_bytes(data[2:4], "big")
    if len(data) < HEADER_BYTES or not HEADER_BYTES <= length <= len(data):
        raise NotAnAnswer("truncated")
    seen: set[int] = set()
    at = HEADER_BYTES
    while at < length:
        size = data[at + 1] if at + 1 < length else 0
        if size < 2 or at + size > length:
            raise NotAnAnswer("malformed")
        kind = data[at]
        if kind in seen and kind in AT_MOST_ONCE:
            raise NotAnAnswer("malformed")
        if kind == MESSAGE_AUTHENTICATOR and size != 2 + MESSAGE_AUTHENTICATOR_BYTES:
            raise NotAnAnswer("malformed")
        seen.add(kind)
        at += size

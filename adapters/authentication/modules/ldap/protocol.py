"""LDAP messages (RFC 4511): what is asked, and what a directory answers, out of bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from adapters.authentication.modules.ldap.ber import (
    ENUMERATED,
    OCTETS,
    SEQUENCE,
    SET,
    Malformed,
    Reader,
    boolean,
    element,
    integer,
    number,
    octets,
)

VERSION = 3
BIND, BOUND = 0x60, 0x61
UNBIND = 0x42
SEARCH, ENTRY, REFERENCE, DONE = 0x63, 0x64, 0x73, 0x65
ABANDON = 0x50
EXTENDED, EXTENDED_ANSWER = 0x77, 0x78

START_TLS = "1.3.6.1.4.1.1466.20037"
BEHERA_POLICY = "1.3.6.1.4.1.42.2.27.8.5.1"  # draft-behera-ldap-password-policy
UNSOLICITED = 0
NO_ATTRIBUTES = "1.1"  # RFC 4511 section 4.5.1.8

MAX_VALUES = 5_000
"""Of one attribute, and of attributes of one entry."""


class Scope(IntEnum):
    """How far below its base a search looks (RFC 4511, section 4.5.1.2)."""

    BASE = 0
    ONE_LEVEL = 1
    SUBTREE = 2


class Code(IntEnum):
    """Result codes that mean something to a login (RFC 4511, appendix A)."""

    SUCCESS = 0
    TIME_LIMIT = 3
    SIZE_LIMIT = 4
    REFERRAL = 10
    SASL_IN_PROGRESS = 14
    CONSTRAINT = 19
    NO_SUCH_OBJECT = 32
    INVALID_DN = 34
    INAPPROPRIATE = 48
    INVALID_CREDENTIALS = 49
    INSUFFICIENT_ACCESS = 50
    UNWILLING = 53


@dataclass(frozen=True, slots=True)
class Policy:
    """What the password-policy control says; None where it does not say it.

    ``error`` is 0 for expired, 1 locked, 2 must be changed, 3 and on for changes of a password.
    ``expires_in`` is in seconds, ``grace`` the logins that are left.
    """

    error: int | None = None
    expires_in: int | None = None
    grace: int | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """How an operation ended. ``message`` is the directory's, for the audit."""

    code: int
    message: str = ""
    policy: Policy | None = None
    sasl: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry: its name, and values by attribute in lower case."""

    dn: str
    values: Mapping[str, tuple[bytes, ...]] = field(repr=False)


def message(number_: int, operation: bytes, *controls: bytes) -> bytes:
    """A whole message, its controls without values."""
    parts = [integer(number_), operation]
    if controls:
        parts.append(element(0xA0, *controls))
    return element(SEQUENCE, *parts)


ASK_FOR_POLICY = element(SEQUENCE, octets(BEHERA_POLICY))


def bind(dn: str, password: str) -> bytes:
    """A simple bind. An empty password would bind nobody, and succeed (RFC 4513, 5.1.2): it is
    for callers to make sure that neither of both is empty where a login is checked."""
    return element(BIND, integer(VERSION), octets(dn), octets(password, 0x80))


def sasl_bind(mechanism: str, credentials: bytes | None) -> bytes:
    """One step of a SASL bind (RFC 4513, section 5.2)."""
    given = () if credentials is None else (octets(credentials),)
    choice = element(0xA3, octets(mechanism), *given)
    return element(BIND, integer(VERSION), octets(""), choice)


def search(
    base: str, scope: Scope, filter_: bytes, attributes: Sequence[str], *, most: int, seconds: int
) -> bytes:
    """A search that never dereferences aliases; ``most`` entries, ``seconds`` of the server's."""
    return element(
        SEARCH,
        octets(base),
        integer(scope, ENUMERATED),
        integer(0, ENUMERATED),
        integer(most),
        integer(seconds),
        boolean(False),
        filter_,
        element(SEQUENCE, *map(octets, attributes or (NO_ATTRIBUTES,))),
    )


def start_tls() -> bytes:
    return element(EXTENDED, octets(START_TLS, 0x80))


def abandon(number_: int) -> bytes:
    return integer(number_, ABANDON)


def unbind() -> bytes:
    return element(UNBIND)


def opened(content: bytes) -> tuple[int, int, bytes, bytes | None]:
    """Id, operation, its content and the controls of a message. Raises Malformed."""
    reader = Reader(content)
    number_ = reader.whole()
    tag, operation = reader.any()
    controls = reader.next(0xA0) if reader.peek() == 0xA0 else None
    return number_, tag, operation, controls


def result(content: bytes, controls: bytes | None) -> Result:
    """An LDAPResult, with what a bind adds. Raises Malformed."""
    reader = Reader(content)
    code = reader.whole(ENUMERATED)
    reader.next(OCTETS)
    text = reader.next(OCTETS).decode(errors="replace")
    sasl = None
    while reader.more:
        tag, value = reader.any()
        if tag == 0x87:
            sasl = value
    return Result(code, text, None if controls is None else _policy(controls), sasl)


def entry(content: bytes) -> Entry:
    """A SearchResultEntry. Raises Malformed."""
    reader = Reader(content)
    dn = _text(reader.next(OCTETS))
    values: dict[str, tuple[bytes, ...]] = {}
    listed = reader.inside(SEQUENCE)
    while listed.more:
        attribute = listed.inside(SEQUENCE)
        name = _text(attribute.next(OCTETS)).lower()
        found: list[bytes] = []
        inner = attribute.inside(SET)
        while inner.more:
            found.append(inner.next(OCTETS))
        if len(found) > MAX_VALUES or len(values) >= MAX_VALUES:
            raise Malformed("too many values")
        values[name] = tuple(found)
    return Entry(dn, values)


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise Malformed("a name that is no UTF-8") from None


def _policy(controls: bytes) -> Policy | None:
    reader = Reader(controls)
    while reader.more:
        control = reader.inside(SEQUENCE)
        oid, value = control.next(OCTETS), None
        while control.more:
            tag, content = control.any()
            value = content if tag == OCTETS else value
        if oid == BEHERA_POLICY.encode():
            return _policy_value(value or b"")
    return None


def _policy_value(value: bytes) -> Policy:
    """PasswordPolicyResponseValue: a warning, an error, both or neither."""
    error = expires = grace = None
    reader = Reader(Reader(value).next(SEQUENCE) if value else b"")
    while reader.more:
        tag, content = reader.any()
        if tag == 0xA0:
            kind, inner = Reader(content).any()
            expires, grace = (number(inner), None) if kind == 0x80 else (None, number(inner))
        elif tag == 0x81:
            error = number(content)
    return Policy(error, expires, grace)

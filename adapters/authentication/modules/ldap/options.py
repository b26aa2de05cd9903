"""What an LDAP module was told: its document, read and checked."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from adapters.authentication.modules.ldap.connection import Address
from adapters.authentication.modules.ldap.filters import Filter
from adapters.authentication.modules.ldap.protocol import Scope
from broker.model import Secret

MAX_SERVERS = 8
MAX_BASES = 16
MAX_DOMAINS = 64
MAX_ATTRIBUTES = 100
MAX_TIMEOUT_SECONDS = 30
DEFAULT_TIMEOUT_SECONDS = 2
DN = "dn"
"""In the place of an attribute: the name of the entry itself."""

BINARY = frozenset({"objectguid", "objectsid", "jpegphoto", "usercertificate;binary"})
"""Attributes that are no text whatever the document says."""

_SID = re.compile(r"S-1-(0|[1-9][0-9]{0,14})(-(0|[1-9][0-9]{0,9})){1,15}")
"""As it is written, and in one way only: zeros before a number would be as many names of one."""


class Bind(StrEnum):
    """How the broker itself logs in, to search."""

    SIMPLE = "simple"
    EXTERNAL = "external"
    GSSAPI = "gssapi"
    ANONYMOUS = "anonymous"


class Mode(StrEnum):
    LOGIN = "login"
    LOOKUP = "lookup"


class Form(StrEnum):
    """What a login may look like."""

    NAME = "name"
    DN = "dn"
    UPN = "upn"
    DOMAIN = "domain"
    SID = "sid"


class Source(StrEnum):
    """Where groups come from."""

    NONE = "none"
    MEMBER_OF = "member_of"
    MEMBER = "member"
    MATCHING_RULE = "matching_rule"


def sid(text: str) -> bytes | None:
    """The octets of a SID (MS-DTYP, section 2.4.2.2); None for what is none."""
    if _SID.fullmatch(text) is None:
        return None
    _, revision, authority, *parts = text.split("-")
    try:
        return (
            bytes((int(revision), len(parts)))
            + int(authority).to_bytes(6, "big")
            + b"".join(int(part).to_bytes(4, "little") for part in parts)
        )
    except OverflowError:
        return None


@dataclass(frozen=True, slots=True)
class Condition:
    """An attribute that says whether an account is enabled or disabled: by one of its values, in
    any case, or by a bit of a number."""

    attribute: str
    values: frozenset[str] = frozenset()
    bit: int = 0

    def holds(self, found: tuple[bytes, ...]) -> bool:
        texts = [value.decode(errors="replace").strip() for value in found]
        if self.bit:
            return any(_number(text) & self.bit for text in texts)
        return any(text.casefold() in self.values for text in texts)


def _number(text: str) -> int:
    return int(text) if re.fullmatch(r"-?[0-9]{1,19}", text) else 0


@dataclass(frozen=True, slots=True)
class Groups:
    """Which groups somebody is in, and how they are called in the profile."""

    source: Source = Source.NONE
    bases: tuple[str, ...] = ()
    nested: bool = True
    attribute: str = "member"
    name: str = "cn"
    profile: str = "groups"


@dataclass(frozen=True, slots=True)
class Account:
    """The broker's own, to search with."""

    bind: Bind
    dn: str = ""
    password: Secret | None = None
    keytab: str = ""
    principal: str = ""


@dataclass(frozen=True, slots=True)
class Options:
    """One module's. ``attributes`` are by profile name; ``domains`` the base of each, in lower
    case; ``timeout`` is in seconds and for the whole of a login."""

    servers: tuple[Address, ...]
    start_tls: bool
    tls: ssl.SSLContext | None = field(repr=False)
    account: Account
    mode: Mode
    forms: frozenset[Form]
    bases: tuple[str, ...]
    scope: Scope
    login_attributes: tuple[str, ...]
    filter: Filter | None
    upn_attribute: str
    account_attribute: str
    sid_attribute: str
    domains: Mapping[str, str]
    default_domains: tuple[str, ...]
    name_attribute: str
    attributes: Mapping[str, str]
    binary: frozenset[str]
    enabled_by: Condition | None
    disabled_by: Condition | None
    groups: Groups
    decoy_dn: str
    lookup_attribute: str
    link_local_users: bool
    timeout: float

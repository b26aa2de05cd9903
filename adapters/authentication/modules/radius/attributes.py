"""Attributes by name, or by number where the dictionary does not have them."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path

from pyrad.dictionary import Dictionary

DICTIONARY = Dictionary(str(Path(__file__).with_name("attributes.dictionary")))

_NUMBER = re.compile(r"(\d{1,3})")
_VENDORS = re.compile(r"26\.(\d{1,8})\.(\d{1,3})")
MAX_NUMBER = 255
VENDOR_SPECIFIC = 26
HIDDEN = (2, 3, 24, 33, 69, 79, 80)
"""Passwords, states, EAP and authenticators: never part of a profile."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """``key`` is its number, for a vendor's the vendor and its number there (RFC 2865, 5.26)."""

    name: str
    key: int | tuple[int, int]
    type: str = "string"

    def text(self, value: bytes) -> str | None:
        """A value in words; None for one that cannot be shown."""
        if self.type == "integer":
            return str(int.from_bytes(value, "big")) if len(value) == 4 else None
        if self.type == "ipaddr":
            return str(ipaddress.IPv4Address(value)) if len(value) == 4 else None
        try:
            text = value.decode()
        except UnicodeDecodeError:
            return None
        return text if text.isprintable() and text.strip() else None


def attribute(name: str) -> Attribute | None:
    """By its name (``Filter-Id``), its number (``11``) or a vendor's (``26.9.1``); None for one
    that is unknown or not for showing."""
    if name in DICTIONARY:
        known = DICTIONARY[name]
        return None if known.code in HIDDEN else Attribute(name, int(known.code), str(known.type))
    if (found := _VENDORS.fullmatch(name)) and int(found[2]) <= MAX_NUMBER:
        return Attribute(name, (int(found[1]), int(found[2])))
    if (found := _NUMBER.fullmatch(name)) and 0 < int(name) <= MAX_NUMBER:
        number = int(name)
        return None if number in (*HIDDEN, VENDOR_SPECIFIC) else Attribute(name, number)
    return None


USER_NAME = Attribute("User-Name", 1)
REPLY_MESSAGE = Attribute("Reply-Message", 18)
STATE = Attribute("State", 24, "octets")
PROMPT = Attribute("Prompt", 76, "integer")

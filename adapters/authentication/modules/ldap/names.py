"""Distinguished names (RFC 4514): as far as a login or a document may write one."""

from __future__ import annotations

import re

MAX_DN_LENGTH = 1024
MAX_RDNS = 32

_HEX = re.compile(r"[0-9A-Fa-f]{2}")
_TYPE = re.compile(r"[A-Za-z][A-Za-z0-9-]*|[0-2](\.(0|[1-9][0-9]*))+")
_SPECIAL = frozenset('"+,;<>')


def parsed(text: str) -> tuple[tuple[str, str], ...] | None:
    """The parts of a name, each its type and value in lower case, spaces around them left out.

    None for what is no name, or one that nobody needs: with several values in a part, with a value
    in hexadecimal, with an escaped letter or digit (each would double the ways to write one name,
    and failed logins are counted by how it was written), too long.
    """
    if not text or len(text) > MAX_DN_LENGTH:
        return None
    found = []
    for part in _split(text):
        kind, sign, value = part.partition("=")
        read = _value(_bare(value))
        if not sign or not _TYPE.fullmatch(kind.strip(" ")) or not read:
            return None
        found.append((kind.strip(" ").lower(), read.lower()))  # ß and ss are two names
    return tuple(found) if len(found) <= MAX_RDNS else None


def below(name: str, base: str) -> bool:
    """Whether a name is that of ``base`` or of something below it."""
    inner, outer = parsed(name), parsed(base)
    if inner is None or outer is None:
        return False
    return inner[-len(outer) :] == outer


def escaped(value: str) -> str:
    """A value of a part, written so that it is nothing else (RFC 4514, section 2.4)."""
    text = re.sub(r'([\\"+,;<>=#])', r"\\\1", value).replace("\0", "\\00")
    if text.startswith(" "):
        text = "\\" + text
    return text[:-1] + "\\ " if text.endswith(" ") and len(text) > 1 else text


def _split(text: str) -> list[str]:
    """At each comma that nobody escaped."""
    parts, start, at = [], 0, 0
    while at < len(text):
        if text[at] == "\\":
            at += 1
        elif text[at] == ",":
            parts.append(text[start:at])
            start = at + 1
        at += 1
    return [*parts, text[start:]]


def _bare(text: str) -> str:
    """Without the spaces around it, but for a last one that is escaped."""
    bare = text.strip(" ")
    backslashes = len(bare) - len(bare.rstrip("\\"))
    return f"{bare} " if backslashes % 2 else bare


def _value(text: str) -> str | None:
    if text.startswith("#"):
        return None
    found, at = bytearray(), 0
    while at < len(text):
        sign = text[at]
        if sign == "\\":
            pair = text[at + 1 : at + 3]
            if _HEX.fullmatch(pair):
                octet = bytes.fromhex(pair)
                if octet.isalnum():
                    return None
                found += octet
                at += 3
                continue
            at += 1
            sign = text[at : at + 1]
            if not sign or sign not in ' "#+,;<>=\\':
                return None
        elif sign in _SPECIAL:
            return None
        found += sign.encode()
        at += 1
    try:
        return found.decode()
    except UnicodeDecodeError:
        return None

"""Search filters (RFC 4515), read once and kept as a tree.

What somebody types as his name becomes the value of a node of that tree and never text of a
filter, so there is nothing to escape and nothing to inject.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from adapters.authentication.modules.ldap.ber import boolean, element, octets

LOGIN = "{login}"
MAX_DEPTH = 10
MAX_NODES = 100

_ATTRIBUTE = re.compile(r"[A-Za-z][A-Za-z0-9-]*|[0-2](\.[0-9]+)+")
_EXTENSIBLE = re.compile(r"([A-Za-z][A-Za-z0-9-]*)?(:dn)?(:([A-Za-z][A-Za-z0-9-]*|[0-9.]+))?:")


class BadFilter(ValueError):
    """The text is no filter; what it says can be shown."""


def is_attribute(text: str) -> bool:
    """Whether it is an attribute's name or OID (RFC 4512, section 1.4), without options."""
    return len(text) <= 128 and _ATTRIBUTE.fullmatch(text) is not None


def equal(attribute: str, value: str | bytes) -> bytes:
    return element(0xA3, octets(attribute), octets(value))


def present(attribute: str) -> bytes:
    return octets(attribute, 0x87)


def every(parts: Sequence[bytes]) -> bytes:
    return parts[0] if len(parts) == 1 else element(0xA0, *parts)


def some(parts: Sequence[bytes]) -> bytes:
    return parts[0] if len(parts) == 1 else element(0xA1, *parts)


def matching(attribute: str, rule: str, value: str) -> bytes:
    """An extensible match by a rule's OID."""
    return element(0xA9, octets(rule, 0x81), octets(attribute, 0x82), octets(value, 0x83))


class Filter:
    """A filter out of a document, with ``{login}`` where the login is to stand.

    Raises BadFilter.
    """

    def __init__(self, text: str) -> None:
        parser = _Parser(text.strip())
        self._root = parser.whole()
        self.has_login = parser.has_login

    def encoded(self, login: str = "") -> bytes:
        return self._root.encoded(login.encode())


class _Node:
    """Elements below a tag, or pieces of text around the login."""

    def __init__(self, tag: int, below: Sequence[_Node | bytes], pieces: Sequence[bytes] = ()):
        self._tag, self._below, self._pieces = tag, below, pieces

    def encoded(self, login: bytes) -> bytes:
        if self._pieces:
            return octets(login.join(self._pieces), self._tag)
        parts = (each if isinstance(each, bytes) else each.encoded(login) for each in self._below)
        return element(self._tag, *parts)


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._nodes = 0
        self.has_login = False

    def whole(self) -> _Node:
        found = self._filter(0)
        if self._at != len(self._text):
            raise BadFilter(f"text is left over after the filter, from character {self._at + 1} on")
        return found

    def _filter(self, depth: int) -> _Node:
        self._nodes += 1
        if depth > MAX_DEPTH or self._nodes > MAX_NODES:
            raise BadFilter(f"it has more than {MAX_NODES} parts, or {MAX_DEPTH} inside each other")
        self._take("(")
        sign = self._text[self._at : self._at + 1]
        if sign in ("&", "|"):
            self._at += 1
            parts = [self._filter(depth + 1)]
            while self._text.startswith("(", self._at):
                parts.append(self._filter(depth + 1))
            node = _Node(0xA0 if sign == "&" else 0xA1, parts)
        elif sign == "!":
            self._at += 1
            node = _Node(0xA2, [self._filter(depth + 1)])
        else:
            node = self._item()
        self._take(")")
        return node

    def _item(self) -> _Node:
        text = re.compile(r"[^()]*").match(self._text, self._at)
        item = text[0] if text else ""
        self._at += len(item)
        left, sign, right = item.partition("=")
        if not sign:
            raise BadFilter(f"a comparison lacks its '=' before character {self._at + 1}")
        if left.endswith(":"):
            return self._extensible(left, right)
        tags = {"~": 0xA8, ">": 0xA5, "<": 0xA6}
        tag = tags.get(left[-1:], 0xA3)
        name = left[:-1] if tag != 0xA3 else left
        if not is_attribute(name):
            raise BadFilter(f"{name!r} is no name of an attribute")
        if tag == 0xA3 and right == "*":
            return _Node(0x87, (), (name.encode(),))
        if tag == 0xA3 and "*" in right:
            return self._substrings(name, right)
        return _Node(tag, [octets(name), self._value(right)])

    def _substrings(self, name: str, right: str) -> _Node:
        first, *middle, last = right.split("*")
        if not all(middle):
            raise BadFilter("two asterisks stand side by side")
        parts = [self._value(first, 0x80)] if first else []
        parts += [self._value(each, 0x81) for each in middle]
        parts += [self._value(last, 0x82)] if last else []
        return _Node(0xA4, [octets(name), _Node(0x30, parts)])

    def _extensible(self, left: str, right: str) -> _Node:
        found = _EXTENSIBLE.fullmatch(left)
        if found is None or not (found[1] or found[4]):
            raise BadFilter(f"{left!r} is no matching rule")
        parts: list[_Node | bytes] = [octets(found[4], 0x81)] if found[4] else []
        parts += [octets(found[1], 0x82)] if found[1] else []
        parts += [self._value(right, 0x83)]
        parts += [boolean(True, 0x84)] if found[2] else []
        return _Node(0xA9, parts)

    def _value(self, text: str, tag: int = 0x04) -> _Node:
        pieces = text.split(LOGIN)
        self.has_login = self.has_login or len(pieces) > 1
        return _Node(tag, (), [_unescaped(piece) for piece in pieces])

    def _take(self, sign: str) -> None:
        if not self._text.startswith(sign, self._at):
            raise BadFilter(f"{sign!r} is missing at character {self._at + 1}")
        self._at += 1


def _unescaped(text: str) -> bytes:
    r"""The bytes of a value in which ``\xx`` stands for one (RFC 4515, section 3)."""
    first, *rest = text.split("\\")
    found = [first.encode()]
    for part in rest:
        if not re.match(r"[0-9A-Fa-f]{2}", part):
            raise BadFilter("a backslash is not followed by two hexadecimal digits")
        found.append(bytes.fromhex(part[:2]) + part[2:].encode())
    return b"".join(found)

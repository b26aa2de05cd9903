"""The query filters of ``/sts-tokengen``, in CREST's grammar.

::

    filter  = and-part *( "or" and-part )
    and-part = term *( "and" term )
    term    = "(" filter ")" / "!" "(" filter ")" / "true" / "false"
            / field "pr" / field operator value
    field   = a JSON pointer (RFC 6901), with or without its first slash
    value   = quoted string with backslash escapes, number, "true" or "false"

Words of the language count in any letter case. Of what can be said in it, tokens are found by
equalities on two fields, joined by ``and``; the rest is refused in words that say so. Since only
``and`` is left, and all it joins must hold, parentheses have no meaning: they must match, no more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from broker.errors import InvalidRequest
from broker.policy import shown

MAX_FILTER_LENGTH = 4096
MAX_NESTING = 256
FIELDS = ("sts_id", "token_principal")
USAGE = 'filter with /sts_id eq "…", /token_principal eq "…", or both joined by and'

_TOKEN = re.compile(
    r"""\s*(?:(?P<mark>[()!])
          |"(?P<double>(?:[^"\\]|\\.)*)"
          |'(?P<single>(?:[^'\\]|\\.)*)'
          |(?P<word>[^\s()!"']+))""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_OPERATOR = re.compile(r"[A-Za-z_0-9.]+")
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_POINTER = re.compile(r"(?:[^~]|~[01])+")
_BOOLEANS = ("true", "false")


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str

    @property
    def word(self) -> str:
        """The word in lower case; empty for what is none."""
        return self.text.lower() if self.kind == "word" else ""


_NOTHING = _Token("end", "")
_OPEN, _CLOSE, _NOT = (_Token("mark", sign) for sign in "()!")


@dataclass(slots=True)
class _Reading:
    """A filter while it is read: what it asks for, and the first thing that is not offered."""

    tokens: list[_Token]
    at: int = 0
    pairs: list[tuple[str, str]] = field(default_factory=list)
    refused: str | None = None

    def next(self) -> _Token:
        token = self.peek()
        self.at += 1
        return token

    def peek(self) -> _Token:
        return self.tokens[self.at] if self.at < len(self.tokens) else _NOTHING

    def refuse(self, sentence: str) -> None:
        """Noted, so that what cannot be read at all is said first."""
        self.refused = self.refused or sentence


def parse(text: str) -> dict[str, str] | None:
    """Field name to the value it must equal; None where that can hold for nothing.

    Raises InvalidRequest for what cannot be read and for what is not offered, with the usage.
    """
    if len(text) > MAX_FILTER_LENGTH:
        raise InvalidRequest(f"a filter has up to {MAX_FILTER_LENGTH} characters")
    reading = _Reading(list(_tokens(text)))
    _read(reading)
    if reading.refused is not None:
        raise InvalidRequest(f"{reading.refused}; {USAGE}")
    wanted: dict[str, str] = {}
    for name, value in reading.pairs:
        if wanted.setdefault(name, value) != value:
            return None
    return wanted


def _tokens(text: str) -> Iterator[_Token]:
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at, end)
        if match is None:
            raise _unreadable()
        kind = match.lastgroup or ""
        value = match[kind]
        if kind in ("double", "single"):
            yield _Token("string", _ESCAPE.sub(r"\1", value))
        else:
            yield _Token(kind, value)
        at = match.end()


def _read(reading: _Reading) -> None:
    """Without recursion: a count of open parentheses is all that nesting needs."""
    depth = 0
    while True:
        depth += _opened(reading)
        if depth > MAX_NESTING:
            raise InvalidRequest(f"a filter nests up to {MAX_NESTING} parentheses")
        _term(reading)
        while reading.peek() == _CLOSE and depth:
            reading.next()
            depth -= 1
        joined = reading.next()
        if joined == _NOTHING and not depth:
            return
        if joined.word == "or":
            reading.refuse("or is not offered")
        elif joined.word != "and":
            raise _unreadable()


def _opened(reading: _Reading) -> int:
    """Pass the parentheses before a term; how many they were."""
    count = 0
    while reading.peek() in (_OPEN, _NOT):
        if reading.next() == _NOT:
            reading.refuse("! is not offered")
            if reading.next() != _OPEN:
                raise _unreadable()
        count += 1
    return count


def _term(reading: _Reading) -> None:
    first = reading.next()
    if first.kind != "word" or not _POINTER.fullmatch(first.text):
        raise _unreadable()
    if first.word in _BOOLEANS:
        reading.refuse(f"the literal {first.word} is not offered")
        return
    operator = reading.next()
    if operator.kind != "word" or not _OPERATOR.fullmatch(operator.text):
        raise _unreadable()
    value = None if operator.word == "pr" else _value(reading)
    _assertion(reading, first.text, operator, value)


def _value(reading: _Reading) -> _Token:
    token = reading.next()
    if token.kind == "string" or token.word in _BOOLEANS or _NUMBER.fullmatch(token.word):
        return token
    raise _unreadable()


def _assertion(reading: _Reading, pointer: str, operator: _Token, value: _Token | None) -> None:
    name = _unescaped(pointer.removeprefix("/"))
    if name not in FIELDS:
        reading.refuse(f"there is no field {shown(pointer)}")
    elif operator.word != "eq" or value is None:
        reading.refuse(f"{shown(operator.text)} is not offered for {name}")
    elif value.word in _BOOLEANS:
        reading.refuse(f"{name} is a string and never {value.word}")
    else:
        reading.pairs.append((name, value.text))


def _unescaped(segment: str) -> str:
    """RFC 6901, section 4. A slash in the middle stays: no field of ours is nested."""
    return segment.replace("~1", "\x00").replace("~0", "~")


def _unreadable() -> InvalidRequest:
    return InvalidRequest(f"the filter cannot be read; {USAGE}")

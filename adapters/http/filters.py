"""The query filters of ``/sts-tokengen`` (contract, section 2.2): equalities joined by ``and``.

Grammar::

    filter  = term *( "and" term )
    term    = "(" filter ")" / field "eq" value
    field   = [ "/" ] name
    value   = quoted string with backslash escapes, or a bare word
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from broker.errors import InvalidRequest

MAX_FILTER_LENGTH = 4096
MAX_NESTING = 256
FIELDS = ("sts_id", "token_principal")
USAGE = 'filter with /sts_id eq "…", /token_principal eq "…", or both joined by and'

_TOKEN = re.compile(
    r"""\s*(?:(?P<paren>[()])
          |"(?P<double>(?:[^"\\]|\\.)*)"
          |'(?P<single>(?:[^'\\]|\\.)*)'
          |(?P<word>[^\s()"']+))""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str


def parse(text: str) -> dict[str, str] | None:
    """Field name to the value it must equal; None where that can hold for nothing.

    Raises InvalidRequest with the usage.
    """
    if len(text) > MAX_FILTER_LENGTH:
        raise InvalidRequest(f"a filter has up to {MAX_FILTER_LENGTH} characters")
    tokens = _tokens(text)
    pairs, rest = _filter(tokens, 0, 0)
    if rest != len(tokens):
        raise InvalidRequest(USAGE)
    wanted: dict[str, str] = {}
    for field, value in pairs:
        if wanted.setdefault(field, value) != value:
            return None
    return wanted


def _tokens(text: str) -> list[_Token]:
    found, at = [], 0
    stripped = text.rstrip()
    while at < len(stripped):
        match = _TOKEN.match(stripped, at)
        if match is None:
            raise InvalidRequest(USAGE)
        kind = match.lastgroup or ""
        value = match[kind]
        if kind in ("double", "single"):
            found.append(_Token("string", _ESCAPE.sub(r"\1", value)))
        else:
            found.append(_Token(kind, value))
        at = match.end()
    return found


def _filter(tokens: list[_Token], at: int, depth: int) -> tuple[list[tuple[str, str]], int]:
    if depth > MAX_NESTING:
        raise InvalidRequest(USAGE)
    pairs, at = _term(tokens, at, depth)
    while at < len(tokens) and tokens[at].kind == "word" and tokens[at].text.lower() == "and":
        more, at = _term(tokens, at + 1, depth)
        pairs = pairs + more
    return pairs, at


def _term(tokens: list[_Token], at: int, depth: int) -> tuple[list[tuple[str, str]], int]:
    if at < len(tokens) and tokens[at] == _Token("paren", "("):
        pairs, at = _filter(tokens, at + 1, depth + 1)
        if at >= len(tokens) or tokens[at] != _Token("paren", ")"):
            raise InvalidRequest(USAGE)
        return pairs, at + 1
    if at + 2 >= len(tokens):
        raise InvalidRequest(USAGE)
    field, operator, value = tokens[at : at + 3]
    if field.kind != "word" or operator.kind != "word" or operator.text.lower() != "eq":
        raise InvalidRequest(USAGE)
    name = field.text.removeprefix("/")
    if name not in FIELDS:
        raise InvalidRequest(f"there is no field {name[:64]}; {USAGE}")
    literal = value.kind == "word" and value.text.lower() in ("true", "false")
    if value.kind not in ("string", "word") or literal:
        raise InvalidRequest(USAGE)
    return [(name, value.text)], at + 3

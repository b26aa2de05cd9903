"""What principal resolution was told: a document's ``principal``, read and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

USERS = "users"
"""The directory that is the realm's own users."""

ANY_FRONT_END = "*"
SESSIONS = "/json/authenticate"
"""The front end of a login that is for no instance; no instance can be called so."""


@dataclass(frozen=True, slots=True)
class Source:
    """A claim of the login, or an attribute of the directory; neither is the login's name."""

    claim: str = ""
    attribute: str = ""


@dataclass(frozen=True, slots=True)
class Search:
    """A claim (or the login's name) that an attribute (or whatever logins go by) must equal."""

    claim: str = ""
    attribute: str = ""


@dataclass(frozen=True, slots=True)
class Condition:
    """An attribute that says of an account whether it is enabled, or disabled: by one of its
    values, in any case, or by a bit of a number."""

    attribute: str
    values: frozenset[str] = frozenset()
    bit: int = 0

    def holds(self, found: tuple[str, ...]) -> bool:
        if self.bit:
            return any(_number(text) & self.bit for text in found)
        return any(text.strip().casefold() in self.values for text in found)


def _number(text: str) -> int:
    try:
        return int(text) if len(text) <= 20 and text.isascii() else 0
    except ValueError:
        return 0


@dataclass(frozen=True, slots=True)
class Check:
    """One of the source's values must be one of ``values``, to the letter, or be matched by
    ``pattern``, in which an asterisk stands for any text."""

    source: Source
    values: frozenset[str] = frozenset()
    pattern: str = ""

    def holds(self, found: tuple[str, ...]) -> bool:
        return any(
            text in self.values or (self.pattern and matches(self.pattern, text)) for text in found
        )


def matches(pattern: str, text: str) -> bool:
    """In time that grows with the length of both alone, whatever they are."""
    first, *rest = pattern.split("*")
    if not rest:
        return text == first
    *middle, last = rest
    if len(text) < len(first) + len(last) or not text.startswith(first) or not text.endswith(last):
        return False
    at, end = len(first), len(text) - len(last)
    for part in middle:
        found = text.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


@dataclass(frozen=True, slots=True)
class Main:
    """The attribute by which a sub-identity names its main one: by its entry, or by ``key``."""

    attribute: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class Roles:
    """Which permissions the roles in ``source`` give; they are emitted as ``name``. Where
    ``required``, nobody gets in without a role of the table."""

    source: Source
    permissions: Mapping[str, tuple[str, ...]]
    name: str
    required: bool


@dataclass(frozen=True, slots=True)
class Attribution:
    """Who acted, emitted as ``name``: a claim of the login, or the login's name."""

    name: str
    claim: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """One document's. ``module`` is the directory's, None for the realm's own users; without
    ``searches`` there is no directory, and a login stands for itself. ``front_ends`` is None where
    all may use it."""

    module: str | None = None
    searches: tuple[Search, ...] = ()
    enabled_by: Condition | None = None
    disabled_by: Condition | None = None
    checks: tuple[Check, ...] = ()
    main: Main | None = None
    roles: Roles | None = None
    attribution: Attribution | None = None
    kept: tuple[str, ...] = ()
    front_ends: frozenset[str] | None = None

    @property
    def attributes(self) -> tuple[str, ...]:
        """What must be asked of each person, each once."""
        conditions = (self.enabled_by, self.disabled_by)
        needed = [each.attribute for each in conditions if each is not None]
        needed += [each.source.attribute for each in self.checks]
        needed += [self.main.attribute] if self.main is not None else []
        needed += [self.roles.source.attribute] if self.roles is not None else []
        return tuple(dict.fromkeys(each for each in needed if each))

    def allows(self, front_end: str) -> bool:
        """Whether a front end may use what carries this rule."""
        allowed = self.front_ends
        return allowed is None or bool(allowed & {ANY_FRONT_END, front_end or SESSIONS})

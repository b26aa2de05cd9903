"""What a kind of module needs to be tested, and what comes of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from broker.authentication import FAILED
from broker.model import USERNAME
from tests.support import freeradius, slapd
from tests.support.door import Door, FrozenClock
from tests.support.kdc import Kdc

NO_HEADERS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Servers:
    """Those that run for all tests of a kind; None for what the kind does not ask."""

    folder: Path
    clock: FrozenClock
    slapd: slapd.Slapd | None = None
    radius: freeradius.FreeRadius | None = None
    kdc: Kdc | None = None


@dataclass(frozen=True)
class Shown:
    """What comes with a request: an input token, and headers."""

    given: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=lambda: NO_HEADERS)


Showing = Callable[[Door], Awaitable[Shown]]


@dataclass(frozen=True)
class World:
    """``keys`` are the TOML of the module's document. With good evidence its word is ``name``, the
    ``values`` of the directory's ``attribute``, and ``methods``. A second factor stands after the
    modules of ``before``. ``given`` is the type of input; None where a login comes first.
    ``sentence`` is what is said to bad evidence where the module stands alone: those that ask the
    broker's own validators say what is wrong with a token. ``account`` is how records
    know the subject, if not by ``name``. ``prepare`` has the broker know what it needs to."""

    keys: str
    name: str
    good: Showing
    bad: Showing
    values: tuple[str, ...] = ()
    attribute: str = "mail"
    methods: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    given: str | None = USERNAME
    sentence: str = FAILED
    account: str | None = None
    prepare: Callable[[Door], Awaitable[object]] | None = None


def showing(given: Mapping[str, Any], headers: Mapping[str, str] = NO_HEADERS) -> Showing:
    """The same each time."""
    shown = Shown(given, headers)

    async def show(door: Door) -> Shown:
        return shown

    return show

"""Modules, chains and defaults from a TOML file.

::

    [[module]]
    name = "staff"
    kind = "files"
    realm = "/"                                  # optional, here and below

    [[chain]]
    name = "staffOnly"
    modules = [{ module = "staff", flag = "required" }]

    [[default]]
    USERNAME = "service|staffOnly"
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapters.authentication.document import CHAIN, DEFAULT, MODULE
from adapters.authentication.draft import REDACTED
from adapters.toml_entries import tables
from broker.errors import InvalidRequest
from broker.model import normal_realm

if TYPE_CHECKING:
    from adapters.authentication.directory import AuthenticationDirectory


@dataclass(frozen=True, slots=True)
class Entry:
    """A row that a file declares; nobody has checked it yet. ``where`` is for sentences."""

    realm: str
    part: str
    state: Mapping[str, Any] = field(repr=False)
    where: str

    @property
    def name(self) -> str:
        return str(self.state.get("name", ""))


def read(path: Path) -> list[Entry]:
    """What a file declares, modules first. Raises InvalidRequest naming what is wrong."""
    found = tables(
        path,
        {
            "module": _named(MODULE, "module", path),
            "chain": _named(CHAIN, "chain", path),
            "default": lambda entry: _defaults(entry, path),
        },
    )
    return [entry for made in found.values() for entries in made for entry in entries]


async def import_file(path: Path, directory: AuthenticationDirectory) -> int:
    """Put what a file declares into the store, replacing namesakes; returns how many."""
    found = read(path)
    await directory.load(found)
    return len(found)


def _named(part: str, word: str, path: Path) -> Callable[[Any], list[Entry]]:
    def made(entry: Any) -> list[Entry]:
        realm, state = _split(entry, word)
        if REDACTED in state.values():
            raise InvalidRequest(f"write the secrets themselves, not {REDACTED}")
        return [Entry(realm, part, state, f"{path}: {word} {state.get('name', '')}")]

    return made


def _defaults(entry: Any, path: Path) -> list[Entry]:
    realm, state = _split(entry, "default")
    return [
        Entry(realm, DEFAULT, {"name": name, "target": target}, f"{path}: default {name}")
        for name, target in state.items()
    ]


def _split(entry: Any, word: str) -> tuple[str, dict[str, Any]]:
    if not isinstance(entry, Mapping):
        raise InvalidRequest(f"write each {word} under [[{word}]]")
    state = dict(entry)
    realm = state.pop("realm", "/")
    if not isinstance(realm, str):
        raise InvalidRequest("realm is a string")
    return normal_realm(realm), state

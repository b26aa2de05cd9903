"""A TOML file that is a list of entries, such as ``[[user]]``."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from broker.errors import InvalidRequest

Entry = TypeVar("Entry")


def entries(path: Path, kind: str, made: Callable[[Any], Entry]) -> list[Entry]:
    """What ``made`` makes of each entry. Raises InvalidRequest naming the file, the entry and what
    is wrong with it."""
    return tables(path, {kind: made})[kind]


def tables(path: Path, made: Mapping[str, Callable[[Any], Entry]]) -> dict[str, list[Entry]]:
    """The same for a file with entries of several kinds."""
    document = _document(path)
    places = ", ".join(f"each {kind} under [[{kind}]]" for kind in made)
    for name, listed in document.items():
        if name not in made or not isinstance(listed, list):
            said = f"write {places}, and nothing else"
            raise InvalidRequest(f"{path}: {said}")
    return {kind: _made(path, kind, document.get(kind, []), each) for kind, each in made.items()}


def _document(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise InvalidRequest(f"{path}: {error.strerror}") from None
    except ValueError as error:  # no TOML, or no UTF-8
        raise InvalidRequest(f"{path}: {error}") from None


def _made(path: Path, kind: str, listed: list[Any], made: Callable[[Any], Entry]) -> list[Entry]:
    found = []
    for number, entry in enumerate(listed, 1):
        try:
            found.append(made(entry))
        except InvalidRequest as error:
            raise InvalidRequest(f"{path}: {kind} {number}: {error.sentence}") from None
    return found

"""A TOML file that is a list of entries of one kind, such as ``[[user]]``."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from broker.errors import InvalidRequest

Entry = TypeVar("Entry")


def entries(path: Path, kind: str, made: Callable[[Any], Entry]) -> list[Entry]:
    """What ``made`` makes of each entry. Raises InvalidRequest naming the file, the entry and what
    is wrong with it."""
    try:
        with path.open("rb") as file:
            document = tomllib.load(file)
    except OSError as error:
        raise InvalidRequest(f"{path}: {error.strerror}") from None
    except ValueError as error:  # no TOML, or no UTF-8
        raise InvalidRequest(f"{path}: {error}") from None
    listed = document.get(kind, [])
    if not isinstance(listed, list) or document.keys() - {kind}:
        raise InvalidRequest(f"{path}: write each {kind} under [[{kind}]], and nothing else")
    found = []
    for number, entry in enumerate(listed, 1):
        try:
            found.append(made(entry))
        except InvalidRequest as error:
            raise InvalidRequest(f"{path}: {kind} {number}: {error.sentence}") from None
    return found

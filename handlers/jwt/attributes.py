"""The claims of a token where a claims mapper looks for the attributes of a profile."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

MAX_VALUES = 100


class ClaimAttributes(Mapping[str, tuple[str, ...]]):
    """Claims as attributes: strings as they are, numbers and truth values as JSON writes them, and
    lists of those. Objects, and lists of anything else, are not there.

    Nothing is converted before somebody asks for it.
    """

    def __init__(self, claims: Mapping[str, Any]) -> None:
        self._claims = claims

    def __getitem__(self, name: str) -> tuple[str, ...]:
        value = self._claims[name]
        if isinstance(value, str):
            return (value,)
        values = value if isinstance(value, list) else [value]
        if len(values) > MAX_VALUES or not all(isinstance(v, str | int | float) for v in values):
            raise KeyError(name)
        return tuple(v if isinstance(v, str) else orjson.dumps(v).decode() for v in values)

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._claims if name in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

"""Where principals are looked for: what a directory of people can be asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from broker.authentication import Identity

ENOUGH = 2
"""As many people as a search gives at most: two are too many already."""


@dataclass(frozen=True, slots=True)
class Person:
    """One entry. ``key`` names it among all others, ``values`` are those of the attributes that
    were asked for, spelt as they were asked for; ``entry`` is the directory's own."""

    key: str
    values: Mapping[str, tuple[str, ...]] = field(repr=False)
    entry: Any = field(repr=False)


class Asking(Protocol):
    """A directory while one login is resolved: all within one deadline.

    Everything raises Unavailable where nobody can be asked.
    """

    async def by_login(self, login: str) -> list[Person]:
        """Whom a login means, as the directory's own logins do."""

    async def by(self, attribute: str, value: str) -> list[Person]:
        """Who has that value, ``ENOUGH`` at most."""

    async def at(self, key: str) -> list[Person]:
        """The entry of that name."""

    async def identity(self, person: Person) -> Identity:
        """As a login of that person would give it. Raises AuthenticationFailed for an account that
        is disabled, has no name, or more groups than are looked at."""


class People(Protocol):
    """A directory of people."""

    def asking(self, attributes: Sequence[str]) -> AbstractAsyncContextManager[Asking]:
        """Begin to ask; each person comes with these attributes. Raises Unavailable."""

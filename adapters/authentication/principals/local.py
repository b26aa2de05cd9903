"""The realm's own users as a directory of people."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from adapters.authentication.principals.people import ENOUGH, Asking, Person
from broker.authentication import FAILED, Identity
from broker.errors import AuthenticationFailed, Unavailable
from broker.model import User
from broker.ports import UserStore

MAX_USERS = 10_000
"""That are looked through for a value; a realm with more needs a directory."""
TOO_MANY = "whoever checks this login has too many users to look through"


@dataclass(frozen=True, slots=True)
class LocalPeople:
    """Their names are found at once; for other attributes the users are looked through."""

    realm: str
    users: UserStore = field(repr=False)

    @contextlib.asynccontextmanager
    async def asking(self, attributes: Sequence[str]) -> AsyncIterator[Asking]:
        yield _Users(self.realm, self.users, tuple(attributes))


@dataclass(frozen=True, slots=True)
class _Users:
    realm: str
    users: UserStore = field(repr=False)
    attributes: tuple[str, ...]

    async def by_login(self, login: str) -> list[Person]:
        return await self.at(login)

    async def by(self, attribute: str, value: str) -> list[Person]:
        everybody = await self.users.list(self.realm)
        if len(everybody) > MAX_USERS:
            detail = f"more than {MAX_USERS} users cannot be searched by {attribute}"
            raise Unavailable(TOO_MANY, detail=detail)
        found = [user for user in everybody if value in user.attributes.get(attribute, ())]
        return [self._person(user) for user in found[:ENOUGH]]

    async def at(self, key: str) -> list[Person]:
        user = await self.users.get(self.realm, key)
        return [] if user is None else [self._person(user)]

    async def identity(self, person: Person) -> Identity:
        user: User = person.entry
        if not user.active:
            raise AuthenticationFailed(FAILED, detail="the local user is not active")
        return Identity(user.name, user.attributes, foreign=None)

    def _person(self, user: User) -> Person:
        values = {each: user.attributes.get(each, ()) for each in self.attributes}
        return Person(user.name, values, user)

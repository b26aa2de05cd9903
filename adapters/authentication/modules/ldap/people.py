"""A directory as principal resolution asks it: by login, by attribute, or by an entry's name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from adapters.authentication.modules.ldap import filters, groups, logins, names, profile
from adapters.authentication.modules.ldap.directory import Directory, Truncated
from adapters.authentication.modules.ldap.logins import Place
from adapters.authentication.modules.ldap.options import DN, Options, Source, sid
from adapters.authentication.modules.ldap.protocol import Entry
from adapters.authentication.modules.subjects import Subjects
from adapters.authentication.principals.people import ENOUGH, Person
from broker.authentication import FAILED, Identity
from broker.errors import AuthenticationFailed


def name_of(entry: Entry, options: Options) -> str:
    """Raises AuthenticationFailed."""
    found = profile.name(entry, options)
    if found is None:
        detail = f"{options.name_attribute} of the entry is not exactly one name"
        raise AuthenticationFailed(FAILED, detail=detail)
    return found


async def profile_of(
    entry: Entry, options: Options, directory: Directory, deadline: float
) -> dict[str, tuple[str, ...]]:
    """Its attributes and groups. Raises AuthenticationFailed for a disabled account, and
    Unavailable."""
    attributes = profile_without_groups(entry, options)
    if options.groups.source is not Source.NONE:
        attributes[options.groups.profile] = await _groups(entry, options, directory, deadline)
    return attributes


def profile_without_groups(entry: Entry, options: Options) -> dict[str, tuple[str, ...]]:
    """Its attributes alone. Raises AuthenticationFailed for a disabled account."""
    why = profile.disabled(entry, options)
    if why is not None:
        raise AuthenticationFailed(FAILED, detail=why)
    return profile.attributes(entry, options)


async def _groups(
    entry: Entry, options: Options, directory: Directory, deadline: float
) -> tuple[str, ...]:
    try:
        return await groups.names(entry, options, directory, deadline)
    except groups.TooMany as error:
        raise AuthenticationFailed(FAILED, detail=str(error)) from None


@dataclass(slots=True)
class Searching:
    """One login's questions, within the module's ``deadline``; ``attributes`` are wanted of each
    person besides the profile. The name that the module gives groups is one of them."""

    options: Options = field(repr=False)
    directory: Directory = field(repr=False)
    subjects: Subjects = field(repr=False)
    attributes: tuple[str, ...]
    deadline: float
    _of: dict[str, tuple[str, ...]] = field(default_factory=dict, repr=False)

    async def by_login(self, login: str) -> list[Person]:
        """Raises AuthenticationFailed for what is no login of this directory."""
        problem = logins.login_problem(login)
        places = problem if problem is not None else logins.places(login, self.options)
        if isinstance(places, str):
            raise AuthenticationFailed(FAILED, detail=places)
        return await self._people(places)

    async def by(self, attribute: str, value: str) -> list[Person]:
        """Raises AuthenticationFailed where the module's filter wants a login."""
        self._check_filter()
        if attribute.lower() == DN:
            return await self.at(value)
        wanted: str | bytes = value
        if attribute.lower() == self.options.sid_attribute.lower():
            wanted = sid(value) or value
        return await self._people(logins.matching(filters.equal(attribute, wanted), self.options))

    async def at(self, key: str) -> list[Person]:
        """Nobody, where the entry is not one that this module may find. Raises
        AuthenticationFailed where the module's filter wants a login."""
        self._check_filter()
        places = logins.entry(key, self.options)
        return [] if isinstance(places, str) else await self._people(places)

    async def identity(self, person: Person) -> Identity:
        entry: Entry = person.entry
        attributes = profile_without_groups(entry, self.options)
        if self.options.groups.source is not Source.NONE:
            attributes[self.options.groups.profile] = await self._groups(entry)
        return await self.subjects.identity(name_of(entry, self.options), attributes, ())

    def _check_filter(self) -> None:
        known = self.options.filter
        if known is not None and known.has_login:
            detail = "the directory's filter has {login} in it: it cannot be searched otherwise"
            raise AuthenticationFailed(FAILED, detail=detail)

    async def _people(self, places: Sequence[Place]) -> list[Person]:
        own = [each for each in self.attributes if not self._is_groups(each) and each.lower() != DN]
        wanted = (
            *profile.wanted(self.options),
            *groups.wanted(self.options.groups),
            *own,
        )
        wanted = tuple({each.lower(): each for each in wanted}.values())
        try:
            found = await self.directory.entries(places, wanted, ENOUGH, self.deadline)
        except Truncated:
            raise AuthenticationFailed(FAILED, detail="several in the directory match") from None
        return [await self._person(entry, alone=len(found) == 1) for entry in found[:ENOUGH]]

    async def _person(self, entry: Entry, *, alone: bool) -> Person:
        """Groups are looked for only where it is ``alone``: of several nobody gets in."""
        values = {each: self._values(entry, each) for each in self.attributes}
        for each in filter(self._is_groups, self.attributes):
            values[each] = await self._groups(entry) if alone else ()
        return Person(str(names.parsed(entry.dn) or entry.dn), values, entry)

    async def _groups(self, entry: Entry) -> tuple[str, ...]:
        """Asked once for each entry."""
        found = self._of.get(entry.dn)
        if found is None:
            found = await _groups(entry, self.options, self.directory, self.deadline)
            self._of[entry.dn] = found
        return found

    def _values(self, entry: Entry, attribute: str) -> tuple[str, ...]:
        read: Mapping[str, tuple[str, ...]] = profile.read(
            entry, {attribute: attribute}, self.options.binary
        )
        return read.get(attribute, ())

    def _is_groups(self, attribute: str) -> bool:
        known = self.options.groups
        return known.source is not Source.NONE and attribute == known.profile

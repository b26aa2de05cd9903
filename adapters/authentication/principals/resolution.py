"""From whom a login is to whom it stands for: searched, judged and given his permissions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from adapters.authentication.principals.people import Asking, People, Person
from adapters.authentication.principals.reading import MAX_PERMISSIONS
from adapters.authentication.principals.rule import Attribution, Main, Roles, Rule, Search, Source
from broker.authentication import FAILED, Evidence, Identity
from broker.errors import AuthenticationFailed

MAX_VALUE_LENGTH = 256
MAX_DEPTH = 5
"""From a sub-identity to its main one, by way of others."""


@dataclass(frozen=True, slots=True)
class Resolution:
    """One rule, and the directory that it names; None where it names none."""

    rule: Rule
    people: People | None = field(repr=False)

    def admit(self, evidence: Evidence) -> None:
        """Before anybody is asked. Raises AuthenticationFailed for a front end that may not."""
        if not self.rule.allows(evidence.front_end):
            raise AuthenticationFailed(FAILED, detail="this front end may not log in this way")

    async def resolved(self, login: Identity) -> Identity:
        """Whom the login stands for: how it was checked stays, name, account and attributes are
        the directory's. Raises AuthenticationFailed and Unavailable."""
        if self.people is None:
            said = {
                name: values
                for name in login.attributes
                if (values := login.attributes.get(name)) is not None
            }
            return self._ended(login, login, None, said)
        async with self.people.asking(self.rule.attributes) as asking:
            person = await self._used(asking, await self._found(asking, login))
            found = await asking.identity(person)
        kept = {name: login.attributes[name] for name in self.rule.kept if name in login.attributes}
        return self._ended(login, found, person, {**kept, **found.attributes})

    async def _found(self, asking: Asking, login: Identity) -> Person:
        """The one person whom the first search means that finds anybody."""
        for search in self.rule.searches:
            value = _value(login, search)
            if value is None:
                continue
            by = search.attribute
            people = await (asking.by(by, value) if by else asking.by_login(value))
            if len(people) > 1:
                raise _failed(f"several in the directory match {_told(search)}")
            if people:
                return self._enabled(people[0])
        raise _failed("nobody in the directory matches the login")

    async def _used(self, asking: Asking, person: Person) -> Person:
        """The main identity, where that is asked for; whoever is his own has none."""
        main = self.rule.main
        if main is None:
            return person
        seen = {person.key}
        for _ in range(MAX_DEPTH):
            pointer = person.values.get(main.attribute, ())
            if not pointer:
                return person
            person = self._enabled(await _main(asking, main, pointer))
            if person.key in seen:
                raise _failed("main identities lead round in a circle")
            seen.add(person.key)
        raise _failed(f"a main identity is more than {MAX_DEPTH} steps away")

    def _enabled(self, person: Person) -> Person:
        """Raises AuthenticationFailed for an account that may not be used."""
        on, off = self.rule.enabled_by, self.rule.disabled_by
        if on is not None and not on.holds(person.values.get(on.attribute, ())):
            raise _failed(f"the account is not enabled: {on.attribute} does not say so")
        if off is not None and off.holds(person.values.get(off.attribute, ())):
            raise _failed(f"the account is disabled: {off.attribute} says so")
        return person

    def _ended(
        self,
        login: Identity,
        used: Identity,
        person: Person | None,
        attributes: Mapping[str, tuple[str, ...]],
    ) -> Identity:
        for check in self.rule.checks:
            if not check.holds(_said(check.source, login, person)):
                raise _failed(f"{_named(check.source)} is not what it must be")
        roles, attribution = self.rule.roles, self.rule.attribution
        ours: dict[str, tuple[str, ...]] = {}
        if roles is not None:
            ours[roles.name] = _permissions(roles, _said(roles.source, login, person))
        if attribution is not None:
            ours[attribution.name] = (_actor(attribution, login),)
        whole = {**attributes, **ours}
        found = replace(login, name=used.name, attributes=whole, foreign=used.foreign)
        return replace(found, note=_note(login, found))


async def _main(asking: Asking, main: Main, pointer: tuple[str, ...]) -> Person:
    if len(pointer) > 1:
        raise _failed(f"{main.attribute} names more than one main identity")
    people = await (asking.by(main.key, pointer[0]) if main.key else asking.at(pointer[0]))
    if len(people) != 1:
        raise _failed("the main identity is missing" if not people else "it has several mains")
    return people[0]


def _value(login: Identity, search: Search) -> str | None:
    """What to look for; None where the login does not say it. Raises AuthenticationFailed."""
    values = login.attributes.get(search.claim, ()) if search.claim else (login.name,)
    if not values:
        return None
    if len(values) > 1:
        raise _failed(f"{_told(search)} has {len(values)} values, not one")
    value = values[0]
    if not value.strip() or len(value) > MAX_VALUE_LENGTH or not value.isprintable():
        raise _failed(f"{_told(search)} is nothing that can be looked for")
    return value


def _said(source: Source, login: Identity, person: Person | None) -> tuple[str, ...]:
    if source.claim:
        return tuple(login.attributes.get(source.claim, ()))
    if source.attribute:
        return () if person is None else person.values.get(source.attribute, ())
    return (login.name,)


def _permissions(roles: Roles, found: tuple[str, ...]) -> tuple[str, ...]:
    """The union, sorted. Half of somebody's permissions may be worse than none."""
    known = [roles.permissions[role] for role in dict.fromkeys(found) if role in roles.permissions]
    if roles.required and not known:
        raise _failed("no role of this login is one that gives permissions")
    union = sorted({permission for permissions in known for permission in permissions})
    if len(union) > MAX_PERMISSIONS:
        raise _failed(f"its roles give more than {MAX_PERMISSIONS} permissions")
    return tuple(union)


def _actor(attribution: Attribution, login: Identity) -> str:
    values = login.attributes.get(attribution.claim, ()) if attribution.claim else (login.name,)
    if len(values) != 1 or not 0 < len(values[0]) <= MAX_VALUE_LENGTH:
        raise _failed("who acted is not exactly one name")
    if not values[0].isprintable():
        raise _failed("who acted is no name")
    return values[0]


def _note(login: Identity, found: Identity) -> str:
    """Who it was that logged in, for the audit."""
    before, after = login.foreign or login.name, found.foreign or found.name
    said = f"logged in as {before}" if before != after else ""
    return "; ".join(filter(None, (login.note, said)))


def _told(search: Search) -> str:
    return f"the claim {search.claim}" if search.claim else "the login's name"


def _named(source: Source) -> str:
    if source.claim:
        return f"the claim {source.claim}"
    return f"the attribute {source.attribute}" if source.attribute else "the login's name"


def _failed(detail: str) -> AuthenticationFailed:
    return AuthenticationFailed(FAILED, detail=detail)

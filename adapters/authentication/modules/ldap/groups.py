"""Which groups somebody is in, and which groups those are in."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.authentication.modules.ldap import filters
from adapters.authentication.modules.ldap.directory import Directory, Truncated
from adapters.authentication.modules.ldap.logins import EVERYBODY, Place
from adapters.authentication.modules.ldap.options import DN, Groups, Options, Source
from adapters.authentication.modules.ldap.protocol import Entry, Scope

MAX_DEPTH = 10
"""Of groups in groups."""
MAX_GROUPS = 1000
MAX_AT_ONCE = 50
"""Names in one search."""
IN_CHAIN = "1.2.840.113556.1.4.1941"
"""Active Directory's rule that follows members of members by itself (MS-ADTS, 3.1.1.3.4.4.3)."""
MEMBER_OF = "memberOf"
RANGE = f"{MEMBER_OF.lower()};range="


class TooMany(Exception):
    """Somebody is in more groups, or deeper ones, than are looked at."""


def wanted(groups: Groups) -> tuple[str, ...]:
    """What the entry of somebody must be asked for."""
    return (MEMBER_OF,) if groups.source is Source.MEMBER_OF else ()


async def names(
    entry: Entry, options: Options, directory: Directory, deadline: float
) -> tuple[str, ...]:
    """The names of the groups, sorted, each once. Raises TooMany, Unavailable."""
    walk = _Walk(options.groups, directory, deadline)
    source = options.groups.source
    if source is Source.MATCHING_RULE:
        found = await walk.in_chain(entry.dn)
    elif source is Source.MEMBER:
        found = await walk.up([entry.dn])
    else:
        found = await walk.member_of(entry)
    return tuple(sorted(set(found)))


class _Walk:
    """From an entry up to its groups, group by group, each looked at once: loops do no harm."""

    def __init__(self, groups: Groups, directory: Directory, deadline: float) -> None:
        self._groups = groups
        self._directory = directory
        self._deadline = deadline
        self._name = groups.name.lower()

    async def in_chain(self, dn: str) -> list[str]:
        found = await self._search([filters.matching(self._groups.attribute, IN_CHAIN, dn)])
        return self._named(found)

    async def up(self, dns: list[str]) -> list[str]:
        """Level by level, by asking who has these as members."""
        seen: dict[str, Entry] = {}
        for _ in range(MAX_DEPTH):
            parts = [filters.equal(self._groups.attribute, dn) for dn in dns]
            found = [each for each in await self._search(parts) if each.dn.casefold() not in seen]
            seen.update((each.dn.casefold(), each) for each in found)
            self._count(seen)
            if not found or not self._groups.nested:
                return self._named(list(seen.values()))
            dns = [each.dn for each in found]
        raise TooMany(f"groups are more than {MAX_DEPTH} deep in each other")

    async def member_of(self, entry: Entry) -> list[str]:
        """Level by level, by what each entry says of itself."""
        by_dn = self._name == DN
        level, seen = _said(entry), dict[str, Entry]()
        if by_dn and not self._groups.nested:
            return list(level.values())
        for _ in range(MAX_DEPTH):
            fresh = [dn for key, dn in level.items() if key not in seen]
            if not fresh:
                return self._named(list(seen.values()))
            found = await self._read(fresh)
            seen.update((each.dn.casefold(), each) for each in found)
            seen.update((dn.casefold(), Entry(dn, {})) for dn in fresh if dn.casefold() not in seen)
            self._count(seen)
            if not self._groups.nested:
                return self._named(list(seen.values()))
            level = {key: dn for each in found for key, dn in _said(each).items()}
        raise TooMany(f"groups are more than {MAX_DEPTH} deep in each other")

    async def _search(self, parts: Sequence[bytes]) -> list[Entry]:
        found: list[Entry] = []
        for start in range(0, len(parts), MAX_AT_ONCE):
            some = filters.some(parts[start : start + MAX_AT_ONCE])
            places = [Place(base, Scope.SUBTREE, some) for base in self._groups.bases]
            found += await self._asked(places)
        return found

    async def _read(self, dns: Sequence[str]) -> list[Entry]:
        self._count(dns)
        found: list[Entry] = []
        for start in range(0, len(dns), MAX_AT_ONCE):
            part = dns[start : start + MAX_AT_ONCE]
            found += await self._asked([Place(dn, Scope.BASE, EVERYBODY) for dn in part])
        return found

    async def _asked(self, places: Sequence[Place]) -> list[Entry]:
        attributes = [*([] if self._name == DN else [self._groups.name]), *wanted(self._groups)]
        most = MAX_GROUPS + 1
        try:
            found = await self._directory.entries(places, attributes, most, self._deadline)
        except Truncated:
            raise TooMany("the account is in more groups than the directory shows") from None
        self._count(found)
        return found

    def _count(self, groups: Sequence[object] | dict[str, Entry]) -> None:
        if len(groups) > MAX_GROUPS:
            raise TooMany(f"the account is in more than {MAX_GROUPS} groups")

    def _named(self, entries: Sequence[Entry]) -> list[str]:
        if self._name == DN:
            return [each.dn for each in entries]
        firsts = (each.values.get(self._name, ())[:1] for each in entries)
        return [value.decode(errors="replace") for values in firsts for value in values]


def _said(entry: Entry) -> dict[str, str]:
    """Raises TooMany where Active Directory shows only a part (MS-ADTS, section 3.1.1.3.1.3.3)."""
    if any(each.startswith(RANGE) for each in entry.values):
        raise TooMany("the account is in more groups than the directory shows")
    values = [each.decode(errors="replace") for each in entry.values.get(MEMBER_OF.lower(), ())]
    return {dn.casefold(): dn for dn in values}

"""Claims out of the user's profile."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from broker.model import Principal, VerifiedClaims
from broker.ports import UserStore

BINARY_SUFFIX = ";binary"
MAX_PREPARED_SOURCES = 4096
NOTHING: Mapping[str, tuple[str, ...]] = {}


@dataclass(frozen=True, slots=True)
class _Source:
    """Where a claim's values come from: a fixed text, or an attribute of the profile."""

    static: str | None = None
    attribute: str = ""
    binary: bool = False

    def values(self, attributes: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
        """In order, each once; an empty value says nothing and is left out."""
        found = attributes.get(self.attribute, ()) if self.static is None else (self.static,)
        if len(found) == 1 and found[0] and not self.binary:
            return found
        once = dict.fromkeys(value for value in found if value)
        if self.binary:
            return tuple(b64encode(value.encode()).decode() for value in once)
        return tuple(once)


class ProfileClaimsMapper:
    """Reads the profile from ``users`` if nobody has, and only if a claim needs it.

    A claim map's values are ``attribute``, ``attribute;binary`` (the base64 of each value's
    UTF-8 bytes) or ``"fixed text"`` between double quotes. Absent or empty attributes are left out.
    """

    def __init__(self, users: UserStore) -> None:
        self._users = users

    async def map(self, principal: Principal, claim_map: Mapping[str, str]) -> VerifiedClaims:
        if not claim_map:
            return VerifiedClaims({})
        sources = {claim: _source(value) for claim, value in claim_map.items()}
        attributes = principal.attributes
        if attributes is None and any(source.static is None for source in sources.values()):
            attributes = await self.profile(principal)
        given = NOTHING if attributes is None else attributes
        values = {}
        for claim, source in sources.items():
            found = source.values(given)
            if found:
                values[claim] = found
        return VerifiedClaims(values)

    async def profile(self, principal: Principal) -> Mapping[str, tuple[str, ...]]:
        """All attributes; those of a subject that is nobody of ours are never looked up."""
        if principal.attributes is not None:
            return principal.attributes
        if principal.foreign is not None:
            return {}
        user = await self._users.get(principal.realm, principal.name)
        return user.attributes if user is not None else {}


@lru_cache(maxsize=MAX_PREPARED_SOURCES)
def _source(value: str) -> _Source:
    if len(value) >= 2 and value[0] == value[-1] == '"':
        return _Source(static=value[1:-1])
    if value.endswith(BINARY_SUFFIX):
        return _Source(attribute=value.removesuffix(BINARY_SUFFIX), binary=True)
    return _Source(attribute=value)

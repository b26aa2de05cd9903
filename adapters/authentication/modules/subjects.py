"""Whom a name of somebody else's directory stands for here: nobody of ours, unless linked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from broker.authentication import FAILED, Identity, account
from broker.errors import AuthenticationFailed
from broker.ports import UserStore

LINK = "link_local_users"
"""The key of a module's document that says so."""

MAX_NAME_LENGTH = 255
MAX_PROFILE_LENGTH = 256 * 1024
"""Characters of all that a directory says of somebody: a session keeps it as long as it lives."""


@dataclass(frozen=True, slots=True)
class Subjects:
    """Makes identities of the names that ``module`` vouches for.

    With ``linked`` a name is the local user of that name, who must be there and active; without,
    the pair of module and name, which no local user can have.
    """

    module: str
    realm: str
    linked: bool
    users: UserStore = field(repr=False)

    async def identity(
        self, name: str, attributes: Mapping[str, tuple[str, ...]], methods: tuple[str, ...]
    ) -> Identity:
        """Raises AuthenticationFailed for a name that will not do or is no user's, and
        Unavailable. What is kept here of a local user stands over what ``attributes`` say."""
        if not is_name(name):
            raise AuthenticationFailed(FAILED, detail="the name cannot be a subject's")
        if _length(attributes) > MAX_PROFILE_LENGTH:
            detail = f"its attributes have more than {MAX_PROFILE_LENGTH} characters"
            raise AuthenticationFailed(FAILED, detail=detail)
        if not self.linked:
            return Identity(name, attributes, foreign=account(self.module, name), methods=methods)
        user = await self.users.get(self.realm, name)
        if user is None or not user.active:
            raise AuthenticationFailed(FAILED, detail="no active local user has that name")
        return Identity(user.name, {**attributes, **user.attributes}, foreign=None, methods=methods)


def _length(attributes: Mapping[str, tuple[str, ...]]) -> int:
    return sum(len(value) for values in attributes.values() for value in values)


def is_name(text: str) -> bool:
    """Whether this can be somebody's name: printable, no blanks around it, not too long."""
    return 0 < len(text) <= MAX_NAME_LENGTH and text.isprintable() and text == text.strip()

"""``files``: the local users of the realm, by name and password."""

from __future__ import annotations

from dataclasses import dataclass, field

from adapters.authentication.kinds import Parts
from adapters.authentication.modules.common import missing
from adapters.instances.members import Members
from broker.authentication import (
    FAILED,
    AuthModule,
    Evidence,
    Identity,
    MoreNeeded,
)
from broker.errors import AuthenticationFailed
from broker.ports import Authenticator

PASSWORD = ("pwd",)  # RFC 8176, section 2


@dataclass(frozen=True, slots=True)
class FilesModule:
    """Asks the user store, as logins without any module do."""

    name: str
    authenticator: Authenticator = field(repr=False)

    @property
    def headers(self) -> frozenset[str]:
        return frozenset()

    async def authenticate(self, evidence: Evidence, known: Identity | None) -> Identity:
        """Raises AuthenticationFailed, MoreNeeded where name or password did not come, and
        Unavailable."""
        if needed := missing(evidence):
            raise MoreNeeded(needed, detail="no name and password came")
        if not evidence.username or not evidence.password:
            raise AuthenticationFailed(FAILED, detail="no name and password came")
        user = await self.authenticator.authenticate(
            evidence.realm, evidence.username, evidence.password, evidence.address
        )
        return Identity(user.name, user.attributes, foreign=None, methods=PASSWORD)

    async def close(self) -> None:
        return None


class FilesKind:
    """It has no keys of its own."""

    name = "files"
    secrets: frozenset[str] = frozenset()

    def module(self, name: str, realm: str, members: Members, parts: Parts) -> AuthModule:
        members.only()
        return FilesModule(name, parts.authenticator)

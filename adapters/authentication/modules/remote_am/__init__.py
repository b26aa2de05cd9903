"""``remote_am``: an Access Management server elsewhere, as a store of credentials and sessions."""

from __future__ import annotations

from adapters.authentication.kinds import Parts
from adapters.authentication.modules.remote_am import configuration
from adapters.authentication.modules.remote_am.module import RemoteAmModule
from adapters.authentication.modules.subjects import LINK, Subjects
from adapters.instances.members import Members
from broker.authentication import AuthModule


class RemoteAmKind:
    """The kind, as ``adapters.authentication.kinds`` lists it."""

    name = "remote_am"
    secrets: frozenset[str] = frozenset()

    def module(self, name: str, realm: str, members: Members, parts: Parts) -> AuthModule:
        """A module out of its document; opens no connection and asks nobody."""
        found = configuration.read(members, parts.folder)
        return RemoteAmModule(name, found, Subjects(name, realm, members.flag(LINK), parts.users))

"""``radius``: servers that check logins over RADIUS (RFC 2865)."""

from __future__ import annotations

from adapters.authentication.kinds import Parts
from adapters.authentication.modules.radius import configuration
from adapters.authentication.modules.radius.module import RadiusModule
from adapters.authentication.modules.subjects import LINK, Subjects
from adapters.instances.members import Members
from broker.authentication import AuthModule


class RadiusKind:
    """The kind, as ``adapters.authentication.kinds`` lists it."""

    name = "radius"
    secrets = frozenset({configuration.SECRET})

    def module(self, name: str, realm: str, members: Members, parts: Parts) -> AuthModule:
        """A module out of its document; opens no connection and asks nobody."""
        found = configuration.read(name, members)
        linked = members.flag(LINK)
        if linked and found.use is configuration.Use.OTP:
            members.wrong(LINK, "a second factor is that of whom a module before it knows")
        return RadiusModule(name, found, Subjects(name, realm, linked, parts.users), parts.metrics)

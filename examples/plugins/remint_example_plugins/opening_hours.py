"""A kind of authentication module: logins at certain hours alone.

In a chain after the module that checks who it is::

    [[module]]
    name = "office"
    kind = "opening-hours"
    opens = 8
    closes = 18

    [[chain]]
    name = "staff"
    modules = [
        { module = "DataStore", flag = "requisite" },
        { module = "office", flag = "required" },
    ]
"""

from __future__ import annotations

from dataclasses import dataclass

from adapters.authentication.kinds import Parts
from adapters.instances.members import Members
from broker.authentication import FAILED, AuthModule, Evidence, Identity
from broker.errors import AuthenticationFailed

SECONDS_A_DAY, SECONDS_AN_HOUR = 86_400, 3_600


@dataclass(frozen=True)
class OpeningHours:
    """Adds nothing to whom the modules before it know, and lets nobody in by itself."""

    name: str
    opens: int
    closes: int

    @property
    def headers(self) -> frozenset[str]:
        return frozenset()

    async def authenticate(self, evidence: Evidence, known: Identity | None) -> Identity:
        """The time is that of the request, and not the clock's."""
        if known is None:
            raise AuthenticationFailed(FAILED, detail="nobody said yet who it is")
        hour = int(evidence.now) % SECONDS_A_DAY // SECONDS_AN_HOUR
        if not self.opens <= hour < self.closes:
            raise AuthenticationFailed(FAILED, detail=f"nobody gets in at {hour} o'clock UTC")
        return known

    async def close(self) -> None:
        return None


class OpeningHoursKind:
    """What the entry point names: reads the keys of a module's document."""

    name = "opening-hours"
    secrets: frozenset[str] = frozenset()

    def module(self, name: str, realm: str, members: Members, parts: Parts) -> AuthModule:
        """Every mistake goes to ``members``, so that one answer names them all."""
        members.only("opens", "closes")
        opens, closes = members.whole("opens", 0), members.whole("closes", 24)
        if not 0 <= opens < closes <= 24:
            members.wrong("closes", "write hours of a day in UTC, closes after opens")
        return OpeningHours(name, opens, closes)

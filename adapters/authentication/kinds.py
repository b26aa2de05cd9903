"""What kinds of authentication module there are: the built-in ones, then installed plug-ins.

A plug-in is an entry point of the group ``remint.authentication_modules``: an object with the
members of :class:`Kind`, or a function without arguments that makes one, under the name of the
entry point.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Protocol

from adapters.instances.members import Members
from adapters.state_folder import CannotStart
from adapters.telemetry.metrics import Metrics
from broker.authentication import AuthModule
from broker.factors import FactorStore
from broker.model import ROOT_REALM
from broker.ports import Authenticator, Clock, ReplayCache, UserStore

GROUP = "remint.authentication_modules"


@dataclass(frozen=True, slots=True)
class Parts:
    """What a module may use of the broker. ``authenticator`` checks passwords of local users;
    ``folder`` is where files that modules name are below."""

    users: UserStore
    replays: ReplayCache
    clock: Clock
    folder: Path
    authenticator: Authenticator
    factors: FactorStore
    metrics: Metrics = field(default_factory=Metrics)

    def of(self, realm: str) -> Parts:
        """The same for a realm: the files of an inner one are in a folder of its name, so that its
        administrators reach nobody else's keys."""
        return self if realm == ROOT_REALM else replace(self, folder=self.folder / realm.strip("/"))


class Kind(Protocol):
    """One kind of module."""

    @property
    def name(self) -> str:
        """As ``kind`` in a module's document, such as ``ldap``."""

    @property
    def secrets(self) -> frozenset[str]:
        """The keys whose values are never shown again."""

    def module(self, name: str, realm: str, members: Members, parts: Parts) -> AuthModule:
        """A module out of its document; opens no connection and asks nobody.

        ``members`` are the kind's own: name and kind were taken out. What is wrong goes to
        ``members.problems``, all of it, and a harmless module comes back, which nobody will use;
        unknown keys are wrong too (``members.only``).
        """


def builtin() -> Mapping[str, Kind]:
    """The kinds that come with the broker, by name."""
    from adapters.authentication.modules.files import FilesKind
    from adapters.authentication.modules.header.kind import HeaderKind
    from adapters.authentication.modules.ldap.kind import LdapKind
    from adapters.authentication.modules.negotiate.kind import NegotiateKind
    from adapters.authentication.modules.passcode import PasscodeKind
    from adapters.authentication.modules.radius import RadiusKind
    from adapters.authentication.modules.remote_am import RemoteAmKind
    from adapters.authentication.modules.tokens import CERTIFICATE, SESSION, OidcKind
    from adapters.authentication.modules.totp import TotpKind

    return {
        kind.name: kind
        for kind in (
            FilesKind(),
            LdapKind(),
            RadiusKind(),
            RemoteAmKind(),
            CERTIFICATE,
            OidcKind(),
            SESSION,
            HeaderKind(),
            NegotiateKind(),
            TotpKind(),
            PasscodeKind(),
        )
    }


def installed() -> Mapping[str, Kind]:
    """All kinds of this process. Raises CannotStart where a plug-in is no kind, or takes a name
    that is taken: a broker never starts with less than was installed."""
    found = dict(builtin())
    for point in sorted(entry_points(group=GROUP), key=lambda each: each.name):
        kind = _plugged(point)
        if kind.name in found:
            raise CannotStart(f"two authentication kinds are called {kind.name}")
        found[kind.name] = kind
    return found


def _plugged(point: EntryPoint) -> Kind:
    where = f"the plug-in {point.name} ({point.value}) of {GROUP}"
    try:
        loaded: Any = point.load()
        kind = loaded() if callable(loaded) else loaded
    except Exception as error:
        raise CannotStart(f"{where} cannot be loaded: {type(error).__name__}: {error}") from error
    missing = [each for each in ("name", "secrets", "module") if not hasattr(kind, each)]
    if missing:
        raise CannotStart(f"{where} made an object without {', '.join(missing)}")
    if kind.name != point.name:
        raise CannotStart(f"{where} calls itself {kind.name}; both names must be the same")
    made: Kind = kind
    return made

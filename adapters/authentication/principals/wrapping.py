"""A module, or a chain, whose logins are resolved."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from adapters.authentication.held import NOT_HERE, AbsentModule, HeldModule
from adapters.authentication.modules.ldap.module import LdapModule
from adapters.authentication.principals import reading
from adapters.authentication.principals.local import LocalPeople
from adapters.authentication.principals.people import Asking
from adapters.authentication.principals.resolution import Resolution
from adapters.authentication.principals.rule import Rule
from broker.authentication import Authentication, AuthModule, Evidence, Identity, Progress
from broker.chains import Alone, Chain
from broker.errors import Unavailable
from broker.ports import UserStore

BROKEN = "for whom its logins stand cannot be read here"

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ResolvedModule:
    """``inner`` says who it is, and ``resolution`` for whom that stands."""

    inner: AuthModule
    resolution: Resolution = field(repr=False)

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def headers(self) -> frozenset[str]:
        return self.inner.headers

    async def authenticate(self, evidence: Evidence, known: Identity | None) -> Identity:
        """Raises as ``inner`` does, and AuthenticationFailed for whom nobody stands."""
        self.resolution.admit(evidence)
        return await self.resolution.resolved(await self.inner.authenticate(evidence, known))

    async def close(self) -> None:
        await self.inner.close()


@dataclass(frozen=True, slots=True)
class ResolvedTarget:
    """The same of a chain: what its modules agree on is resolved."""

    inner: Authentication
    resolution: Resolution = field(repr=False)

    @property
    def headers(self) -> frozenset[str]:
        return self.inner.headers

    async def authenticate(
        self, evidence: Evidence, progress: Progress | None = None
    ) -> tuple[Identity, str]:
        """Raises as ``inner`` does, and AuthenticationFailed for whom nobody stands."""
        self.resolution.admit(evidence)
        identity, told = await self.inner.authenticate(evidence, progress)
        found = await self.resolution.resolved(identity)
        said = "; ".join(filter(None, (told, found.note)))
        return replace(found, note=""), said

    def around(self, inner: Authentication) -> ResolvedTarget:
        """The same resolution of another's word."""
        return replace(self, inner=inner)


class Resolutions:
    """Makes the wrappers of one realm, whose modules are ``own`` by name, each with its document.

    A rule that cannot be read here, such as one of a newer broker's, lets nobody in.
    """

    def __init__(
        self, realm: str, own: Mapping[str, tuple[Document, HeldModule]], users: UserStore
    ) -> None:
        self._own = own
        self._users = LocalPeople(realm, users)

    def module(self, held: HeldModule, document: Document) -> AuthModule:
        """The module, resolved if its document says so."""
        problems: list[tuple[str, str]] = []
        rule = reading.rule(document, problems)
        if problems:
            return AbsentModule(held.name, BROKEN)
        return held if rule is None else ResolvedModule(held, self._resolution(rule))

    def target(self, chain: Chain, document: Document) -> Authentication:
        """The chain, resolved if its document says so."""
        problems: list[tuple[str, str]] = []
        rule = reading.rule(document, problems)
        if problems:
            return Alone(AbsentModule(chain.name, BROKEN))
        return chain if rule is None else ResolvedTarget(chain, self._resolution(rule))

    def _resolution(self, rule: Rule) -> Resolution:
        if not rule.searches:
            return Resolution(rule, None)
        if rule.module is None:
            return Resolution(rule, self._users)
        _, held = self._own.get(rule.module, (None, None))
        return Resolution(rule, HeldPeople(rule.module, held))


@dataclass(frozen=True, slots=True)
class HeldPeople:
    """The people of a module of the realm, which stays open while they are asked for."""

    name: str
    held: HeldModule | None = field(repr=False)

    @contextlib.asynccontextmanager
    async def asking(self, attributes: Sequence[str]) -> AsyncIterator[Asking]:
        """Raises Unavailable where this broker has no such directory."""
        if self.held is None:
            raise Unavailable(NOT_HERE, detail=f"{self.name}: the realm has no such module")
        async with self.held.used() as module:
            if not isinstance(module, LdapModule):
                raise Unavailable(NOT_HERE, detail=f"{self.name}: it is no directory of people")
            async with module.asking(attributes) as asked:
                yield asked

"""What a running broker is made of; ``bootstrap`` builds it, transports use it."""

from __future__ import annotations

from dataclasses import dataclass, field

from adapters.authentication.directory import AuthenticationDirectory
from adapters.authentication.throttling import Throttling
from adapters.certificates.directory import CertificateAuthorities
from adapters.directories.local import Passwords
from adapters.instances.directory import InstanceDirectory
from adapters.issuers.directory import TrustedIssuers
from adapters.kept_tokens import KeptTokens
from adapters.keys.ring import KeyRing
from adapters.realms import Realms
from adapters.sessions import Sessions
from adapters.settings import Settings
from adapters.telemetry.metrics import Metrics
from broker.factors import FactorStore
from broker.lifecycle import Lifecycle
from broker.pipeline import Pipeline
from broker.ports import Clock, Journal, ReplayCache, UserStore
from broker.trail import AuditTrail


@dataclass(frozen=True, slots=True)
class Components:
    """The services that a front door offers. ``url`` is the public one. ``page_key`` is for the
    cookies of pages and ``login_key`` for logins under way; both are the same in all brokers of a
    store."""

    settings: Settings
    url: str
    clock: Clock
    trail: AuditTrail
    pipeline: Pipeline
    lifecycle: Lifecycle
    instances: InstanceDirectory
    sessions: Sessions
    users: UserStore
    factors: FactorStore
    passwords: Passwords
    keys: KeyRing
    realms: Realms
    issuers: TrustedIssuers
    authorities: CertificateAuthorities
    authentication: AuthenticationDirectory
    throttling: Throttling
    replays: ReplayCache
    journal: Journal
    login_key: bytes = field(repr=False)
    page_key: bytes = field(repr=False)
    kept_tokens: KeptTokens
    metrics: Metrics = field(default_factory=Metrics)

    async def realm_exists(self, realm: str) -> bool:
        """Asks the store about a realm that is not known yet; raises Unavailable."""
        if not self.realms.exists(realm):
            await self.realms.refresh()
        return self.realms.exists(realm)

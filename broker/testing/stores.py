"""What the contract suites test."""

from __future__ import annotations

from typing import Protocol

from broker.attempts import AttemptStore
from broker.factors import FactorStore
from broker.ports import (
    ConfigurationStore,
    InstanceStore,
    Journal,
    Outbox,
    ReplayCache,
    RequestLedger,
    SessionStore,
    TokenStore,
    UserStore,
)


class StoresUnderTest(Protocol):
    """What the fixture ``stores`` gives: empty stores that belong together."""

    @property
    def tokens(self) -> TokenStore: ...

    @property
    def ledger(self) -> RequestLedger: ...

    @property
    def replays(self) -> ReplayCache: ...

    @property
    def attempts(self) -> AttemptStore: ...

    @property
    def sessions(self) -> SessionStore: ...

    @property
    def instances(self) -> InstanceStore: ...

    @property
    def users(self) -> UserStore: ...

    @property
    def factors(self) -> FactorStore: ...

    @property
    def configuration(self) -> ConfigurationStore: ...

    @property
    def outbox(self) -> Outbox: ...

    @property
    def journal(self) -> Journal: ...

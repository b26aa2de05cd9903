"""A broker in this process on the memory store, for cases that need no transport."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from adapters import bootstrap
from adapters.running import Broker
from adapters.settings import Settings
from adapters.stores.memory import open_memory
from bench.subjects import SubjectIssuer
from broker.events import Event
from broker.instance import Instance
from broker.model import ROOT_REALM, Announcement, Secret
from broker.ports import AuditRecord
from broker.testing import a_session, a_user

URL = "http://127.0.0.1:8080"
LIFETIME_SECONDS = 86_400


class NoAudit:
    """AuditSink: takes the record and forgets it."""

    async def record(self, record: AuditRecord) -> None:
        """Nothing is written: that is for the cases of the whole broker."""

    async def record_all(self, records: Sequence[AuditRecord]) -> None:
        """The same."""


class NoEvents:
    """EventSink: nobody is to be told."""

    listening = False

    def prepare(
        self,
        event: Event,
        *,
        request: tuple[str, str] | None = None,
        alias: str | None = None,
        trace: Mapping[str, str] | None = None,
    ) -> Announcement | None:
        return None

    def announce(self, announcement: Announcement | None) -> None:
        """Nothing was prepared."""

    async def publish(self, event: Event) -> None:
        """Nobody is told."""


@dataclass(frozen=True, slots=True)
class World:
    """A broker that was built and not started, and who signs its subject tokens."""

    broker: Broker
    issuer: SubjectIssuer

    async def publish(self, instance: Instance) -> None:
        await self.broker.components.instances.load(instance)

    async def sessions(self, number: int) -> list[str]:
        """Ids of so many new sessions of one user."""
        now, user = int(time.time()), a_user()
        await self.broker.stores.users.put(user)
        session = a_session(
            created_at=now,
            last_access_at=now,
            max_idle_seconds=LIFETIME_SECONDS,
            max_life_seconds=LIFETIME_SECONDS,
            user_stamp=user.stamp,
        )
        names = [secrets.token_urlsafe(32) for _ in range(number)]
        for name in names:
            await self.broker.stores.sessions.put(replace(session, id=Secret(name)))
        return names


async def opened(folder: Path) -> World:
    """On stores in memory; ``folder`` takes what else a broker writes. Close ``broker``."""
    settings: Any = {
        "state_dir": folder / "state",
        "admin": {"password": secrets.token_hex(8)},
        "keys": {"signing_threads": "inline"},  # as the floors sign
    }
    broker = await bootstrap.build(
        Settings(**settings), url=URL, stores=open_memory(), audit=NoAudit(), events=NoEvents()
    )
    await broker.components.authentication.refresh()
    issuer = SubjectIssuer()
    await broker.components.issuers.put(ROOT_REALM, "bench", issuer.document())
    return World(broker, issuer)

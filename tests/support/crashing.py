"""A broker that kills itself, by SIGKILL, at a chosen moment of its first translation.

``python -m tests.support.crashing committed`` ends between commit and answer, ``… validating``
while it looks at the password, ``… spent`` when it has spent a one-time code and issued nothing.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

from aiohttp import web

from adapters import bootstrap
from adapters.directories.local import Passwords
from adapters.http.app import FrontDoor
from adapters.settings import load
from adapters.state_folder import opened_stores
from adapters.telemetry import log
from adapters.telemetry.audit import AuditFile
from broker.model import Secret
from broker.ports import AuditRecord, ReplayCache
from tests.support.hurried import hurry

COMMITTED = "committed"
VALIDATING = "validating"
SPENT = "spent"


class KillingAudit(AuditFile):
    """Phase 11 comes after the commit and before the answer."""

    async def record(self, record: AuditRecord) -> None:
        _die_of(record)
        await super().record(record)

    async def record_all(self, records: Sequence[AuditRecord]) -> None:
        for record in records:
            _die_of(record)
        await super().record_all(records)


class KillingPasswords(Passwords):
    """Looks at no password that comes with a translation; logins have theirs before ``armed``."""

    armed = False

    async def matches(self, password_hash: Secret | None, password: Secret) -> bool:
        if self.armed:
            _die()
        return await super().matches(password_hash, password)


@dataclass(frozen=True)
class KillingReplays:
    """Spends a one-time token, and lives no longer."""

    inner: ReplayCache

    async def spend(self, token: str, owner: str, until: float) -> bool:
        await self.inner.spend(token, owner, until)
        _die()
        return False

    async def reap(self, now: float) -> int:
        return await self.inner.reap(now)


def _die_of(record: AuditRecord) -> None:
    if record.attempt.operation == "translate" and record.outcome == "ok":
        _die()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def main(moment: str) -> None:
    hurry()
    settings = load()
    log.configure("info", "json")
    passwords = KillingPasswords()
    audit_path = settings.state_dir / "audit.log"
    stores = await opened_stores(settings)
    if moment == SPENT:
        stores = replace(stores, replays=KillingReplays(stores.replays))
    broker = await bootstrap.build(
        settings,
        stores=stores,
        url=f"http://127.0.0.1:{settings.http.port}",
        passwords=passwords,
        audit=KillingAudit(audit_path) if moment == COMMITTED else None,
    )
    passwords.armed = moment == VALIDATING
    broker.start()
    runner = web.AppRunner(FrontDoor(broker.components, broker).application(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", settings.http.port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))

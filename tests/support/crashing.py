"""A broker that kills itself, by SIGKILL, at a chosen moment of its first translation.

``python -m tests.support.crashing committed`` ends between commit and answer, ``… validating``
while it looks at the password.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from aiohttp import web

from adapters import bootstrap
from adapters.directories.local import Passwords
from adapters.http.app import FrontDoor
from adapters.settings import load
from adapters.telemetry import log
from adapters.telemetry.audit import AuditFile
from broker.model import Secret
from broker.ports import AuditRecord

COMMITTED = "committed"
VALIDATING = "validating"


class KillingAudit(AuditFile):
    """Phase 11 comes after the commit and before the answer."""

    async def record(self, record: AuditRecord) -> None:
        if record.attempt.operation == "translate" and record.outcome == "ok":
            _die()
        await super().record(record)


class KillingPasswords(Passwords):
    """Looks at no password that comes with a translation; logins have theirs before ``armed``."""

    armed = False

    async def matches(self, password_hash: Secret | None, password: Secret) -> bool:
        if self.armed:
            _die()
        return await super().matches(password_hash, password)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def main(moment: str) -> None:
    settings = load()
    log.configure("info", "json")
    passwords = KillingPasswords()
    audit_path = settings.state_dir / "audit.log"
    broker = await bootstrap.build(
        settings,
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

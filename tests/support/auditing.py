"""Audit sinks that a test holds up."""

from __future__ import annotations

import asyncio

from broker.ports import AuditRecord
from broker.testing import OneByOne


class HeldAudit(OneByOne):
    """Lets no record through, and so no answer out, before ``let_go`` is set."""

    def __init__(self) -> None:
        self.records: list[AuditRecord] = []
        self.entered = asyncio.Event()
        self.let_go = asyncio.Event()

    async def record(self, record: AuditRecord) -> None:
        self.entered.set()
        await self.let_go.wait()
        self.records.append(record)

"""How often modules are asked, and what they say, for the metrics."""

from __future__ import annotations

from dataclasses import dataclass, field

from adapters.telemetry.metrics import Metrics
from broker.authentication import AuthModule, Evidence, Identity, MoreNeeded
from broker.errors import Refusal, Unavailable

PASSED = "passed"
FAILED = "failed"
ASKED_BACK = "asked_back"
DOWN = "down"
BROKEN = "error"
"""It raised what no module should."""


@dataclass(frozen=True, slots=True)
class CountedModule:
    """``inner``, which is of the kind ``kind``."""

    inner: AuthModule
    kind: str
    metrics: Metrics = field(repr=False)

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def headers(self) -> frozenset[str]:
        return self.inner.headers

    async def authenticate(self, evidence: Evidence, known: Identity | None) -> Identity:
        """Raises as ``inner`` does."""
        try:
            found = await self.inner.authenticate(evidence, known)
        except Exception as error:
            self.metrics.count_module(self.kind, _outcome(error))
            raise
        self.metrics.count_module(self.kind, PASSED)
        return found

    async def close(self) -> None:
        await self.inner.close()


def _outcome(error: Exception) -> str:
    if isinstance(error, MoreNeeded):
        return ASKED_BACK
    if isinstance(error, Unavailable):
        return DOWN
    return FAILED if isinstance(error, Refusal) else BROKEN

"""Second factors in a dictionary. No method awaits anything: each is one atomic step."""

from __future__ import annotations

from broker.factors import Factor

Names = tuple[str, str, str, str]


class MemoryFactors:
    """FactorStore."""

    def __init__(self) -> None:
        self._factors: dict[Names, Factor] = {}

    async def get(self, realm: str, account: str, kind: str, id: str) -> Factor | None:
        return self._factors.get((realm, account, kind, id))

    async def list(self, realm: str, account: str | None = None) -> list[Factor]:
        return [
            factor
            for (place, whose, _, _), factor in sorted(self._factors.items())
            if place == realm and account in (None, whose)
        ]

    async def swap(self, expected: Factor | None, factor: Factor) -> bool:
        names = (factor.realm, factor.account, factor.kind, factor.id)
        if self._factors.get(names) != expected:
            return False
        self._factors[names] = factor
        return True

    async def delete(self, realm: str, account: str, kind: str, id: str) -> bool:
        return self._factors.pop((realm, account, kind, id), None) is not None

    async def reap(self, now: float) -> int:
        ended = [
            names
            for names, factor in self._factors.items()
            if factor.expires_at is not None and factor.expires_at <= now
        ]
        for names in ended:
            del self._factors[names]
        return len(ended)

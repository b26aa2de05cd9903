"""What a check found: lines of a table."""

from __future__ import annotations

from dataclasses import dataclass

TOLERANCE = 0.05


@dataclass(frozen=True, slots=True)
class Finding:
    """One figure beside what it must be. Without ``expected`` it only informs."""

    check: str
    figure: str
    measured: float
    expected: float | None
    unit: str
    remark: str = ""

    @property
    def deviation(self) -> float:
        """Part of the expected value; 0 where nothing is expected."""
        return abs(self.measured / self.expected - 1) if self.expected else 0.0

    @property
    def good(self) -> bool:
        return self.deviation <= TOLERANCE

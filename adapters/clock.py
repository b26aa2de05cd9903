"""The machine's clock, as the core's ``Clock``."""

from __future__ import annotations

import time


class SystemClock:
    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

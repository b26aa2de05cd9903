"""A folder of its own for each run, and its seed and report where a failed test shows them."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from tests.chaos import tracing

Say = Callable[[str], None]


@pytest.fixture
def say() -> Say:
    """Says what was measured, and by what seed: shown when a test fails, and by ``pytest -rP``."""
    return lambda text: sys.stdout.write(f"{text}\n") and None


@pytest.fixture
def traceable() -> None:
    """Skips, with the reason, where no process may be traced."""
    if reason := tracing.why_not():
        pytest.skip(reason)

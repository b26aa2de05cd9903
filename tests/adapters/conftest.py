"""Fixtures of the tests of the outside."""

from __future__ import annotations

import pytest

from adapters.keys import private_keys
from tests.support.door import FrozenClock, kept_keys


@pytest.fixture
def quick_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """RSA keys are slow to find, so the tests of this process share a few."""
    monkeypatch.setattr(private_keys, "generated", kept_keys())


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()

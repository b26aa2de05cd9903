"""A world on a store in memory."""

from __future__ import annotations

import pytest

from adapters.stores.memory import open_memory
from tests.broker.world import World


@pytest.fixture
def world() -> World:
    return World(open_memory())

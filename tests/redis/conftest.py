"""A Redis that a test may kill, and a place for figures."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator

import pytest

from tests.support.redis_rules import documented_rules
from tests.support.redis_server import RedisServer, running_redis

Figure = Callable[[str, object], None]


@pytest.fixture
def mortal() -> Iterator[RedisServer]:
    with running_redis(documented_rules()) as running:
        running.empty()
        yield running


@pytest.fixture
def figure() -> Figure:
    """Says what was measured, or by what seed: shown when a test fails, and by ``pytest -rP``."""

    def say(name: str, value: object) -> None:
        sys.stdout.write(f"{name}: {value}\n")

    return say


@pytest.fixture
def chance(figure: Figure) -> random.Random:
    """Chance that can be had again: put the seed that was said in the place of the random one."""
    seed = random.randrange(2**32)  # noqa: S311 - it keeps no secret
    figure("seed", seed)
    return random.Random(seed)  # noqa: S311 - likewise

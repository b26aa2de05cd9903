"""Nobody learns from the work that a refusal takes whether a name exists."""

from __future__ import annotations

import asyncio
import sys

import pytest

from tests.authentication.enumeration import SAMPLES, alike, distance, opened
from tests.project.source import ROOT

PATIENCE = 300.0


def test_the_distance() -> None:
    """The statistic is that of the books: 0 for equal samples, 1 for samples that never meet."""
    assert distance([1, 2, 3], [1, 2, 3]) == pytest.approx(0)
    assert distance([1, 2, 3], [4, 5]) == pytest.approx(1)
    assert distance([1, 2, 3, 4], [3, 4, 5, 6]) == pytest.approx(0.5)
    assert distance([1, 1, 2], [1, 2, 2]) == pytest.approx(1 / 3)


@pytest.mark.slow
@pytest.mark.parametrize("other", ["nobody", "idle"])
async def test_unknown_names_take_the_same_work(other: str) -> None:
    """Of 10,000 samples in turns, those of a user and those of a name that is unknown, or inactive,
    have medians within two percent, and a test of their distributions takes them for the same."""
    asking = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.authentication.enumeration", other, cwd=ROOT
    )
    async with asyncio.timeout(PATIENCE):
        assert await asking.wait() == 0, "the work tells whether a name exists"


@pytest.mark.slow
async def test_the_test_would_notice() -> None:
    """The same test tells a login without a hash from one with it."""
    async with opened() as asked:
        known, other = await asked.interleaved("demo", "nobody", SAMPLES // 20)
    assert not alike(known, [value // 2 for value in other])

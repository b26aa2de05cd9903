"""A broker whose root realm has modules and chains."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.authentication.authenticate.asking import (
    CODE,
    MODULES,
)
from tests.support import door as doors
from tests.support.authentication import authentication_file
from tests.support.door import Door, FrozenClock
from tests.support.planted import Planted
from tests.support.word_module import install_word


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
def modules() -> str:
    """What the realms have; the tests of defaults add to it."""
    return MODULES


@pytest.fixture
async def front(
    modules: str,
    clock: FrozenClock,
    tmp_path: Path,
    planted: Planted,
    said: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Door]:
    install_word(tmp_path, monkeypatch)
    planted.note(CODE)
    settings = authentication_file(tmp_path, modules)
    async with doors.opened(tmp_path / "state", planted, clock=clock, **settings) as opened:
        yield opened
        said.extend(opened.refusals)
    said.append((tmp_path / "state" / "audit.log").read_text())

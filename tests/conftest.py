"""Fixtures for all tests, and the search for planted secrets behind every one of them."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from adapters.telemetry import log
from tests.support import door as doors
from tests.support.door import Door
from tests.support.planted import Planted

# Else every process that a test starts compiles all of our source anew, which takes it a third of
# a second.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# A shell that started us in the background had SIGINT ignored; asyncio sets it back to this after
# its first handler, and what is started before and after would differ.
signal.signal(signal.SIGINT, signal.default_int_handler)

PATIENCE_SECONDS = 10.0


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of the shell that runs the tests do not reach them."""
    for name in list(os.environ):
        if name.startswith("REMINT_"):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def patient_stores(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that is busy with other tests is no slow Redis, but to brokers of their own."""
    for module in ("redis_commands", "redis_schema", "redis_watch"):
        monkeypatch.setattr(f"adapters.stores.{module}.CALL_SECONDS", PATIENCE_SECONDS)


@pytest.fixture
def planted() -> Planted:
    return Planted()


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str], planted: Planted) -> Iterator[list[str]]:
    """What the broker put out (logs, audit, refusals): searched when the test is over."""
    log.configure("debug", "json")
    texts: list[str] = []
    yield texts
    out, err = capsys.readouterr()
    found = planted.found_in([*texts, out, err])
    assert not found, "a secret was put out"


@pytest.fixture
async def door(tmp_path: Path, planted: Planted, said: list[str]) -> AsyncIterator[Door]:
    """The front door of a broker on SQLite; all it says is searched for secrets afterwards."""
    async with doors.opened(tmp_path / "state", planted) as opened:
        yield opened
        said.extend(opened.refusals)
    said.append((tmp_path / "state" / "audit.log").read_text())

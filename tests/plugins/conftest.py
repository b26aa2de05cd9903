"""Plug-ins that are installed for one test, and let go after it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.plugins import odd
from tests.support.plug_ins import install_examples, installed


@pytest.fixture(autouse=True)
def plug_ins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The examples, and those of ``odd``."""
    install_examples(tmp_path, monkeypatch)
    installed(tmp_path / "odd", monkeypatch, odd.POINTS)
    odd.HELD.clear()
    yield
    odd.HELD.set()

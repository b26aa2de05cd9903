"""A demo broker, as a reader of the pages has it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.ports import free_port

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Demo:
    folder: Path
    port: int
    environment: dict[str, str]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demo broker in a folder of its own, with `remint` on the path."""
    folder = tmp_path_factory.mktemp("reader")
    shim = folder / "bin" / "remint"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m adapters.cli "$@"\n')
    shim.chmod(0o755)
    port = free_port()
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("REMINT_")},
        "PATH": f"{shim.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "REMINT_HTTP__PORT": str(port),
    }
    process = subprocess.Popen(
        [str(shim), "demo"], cwd=folder, env=environment, stdout=subprocess.DEVNULL
    )
    try:
        _wait(f"http://127.0.0.1:{port}/readyz")
        yield Demo(folder, port, environment)
    finally:
        process.terminate()
        process.wait(20)


def _wait(url: str) -> None:
    until = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(url):
                return
        except urllib.error.URLError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)

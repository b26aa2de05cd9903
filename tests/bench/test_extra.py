"""The load tester without the packages of its extra."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bench.cli import EXTRA

WITHOUT = """
import sys
for name in sys.argv.pop(1).split(","):
    sys.modules[name] = None
from adapters.cli import main
sys.argv[0] = "remint"
sys.exit(main())
"""


@pytest.mark.parametrize("missing", [",".join(EXTRA), EXTRA[0], EXTRA[-1]])
def test_without(missing: str) -> None:
    """Every command says in one sentence what to install; the rest of the program works."""
    for arguments, code in ((("bench", "list"), 1), (("--help",), 0)):
        done = subprocess.run(
            [sys.executable, "-c", WITHOUT, missing, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        assert done.returncode == code, done.stderr
        if code:
            assert done.stderr == (
                "remint: the load tester needs more: pip install 'remint[bench]'\n"
            )

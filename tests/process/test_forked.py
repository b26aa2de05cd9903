"""A process of the nursery is what a started one is."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.project.source import ROOT
from tests.support import forked
from tests.support.forked import BEGAN_WITH, Forked, start

PATIENCE_SECONDS = 30.0


def _run(tmp_path: Path, *arguments: str, given: str = "", **more: str) -> tuple[int, str, str]:
    """The shown module's exit code and what it wrote."""
    files = [tmp_path / name for name in ("in", "out", "err")]
    files[0].write_text(given)
    with files[0].open() as stdin, files[1].open("w") as out, files[2].open("w") as err:
        process = start(
            "tests.support.shown",
            [*arguments],
            environment={**BEGAN_WITH, **more},
            stdin=stdin,
            stdout=out,
            stderr=err,
        )
        code = process.wait(PATIENCE_SECONDS)
    return code, files[1].read_text(), files[2].read_text()


def test_same_as_started(tmp_path: Path) -> None:
    """It has the arguments, environment, folder, input, open files and modes of a started one."""
    environment = {**BEGAN_WITH, "SHOWN": "yes"}
    ran = subprocess.run(
        [sys.executable, "-m", "tests.support.shown", "a", "--b"],
        cwd=ROOT,
        env=environment,
        input="given",
        capture_output=True,
        text=True,
        check=True,
        start_new_session=True,
    )
    code, out, err = _run(tmp_path, "a", "--b", given="given", SHOWN="yes")
    assert (code, err) == (0, ran.stderr)
    assert json.loads(out) == json.loads(ran.stdout)


@pytest.mark.parametrize(("said", "code"), [("exit-3", 3), ("fail", 1), ("kill", -signal.SIGKILL)])
def test_ends(tmp_path: Path, said: str, code: int) -> None:
    """Its exit code is told, and so is the signal that ended it; a traceback goes to its errors."""
    found, _, err = _run(tmp_path, said)
    assert found == code
    assert ("RuntimeError: failed" in err) is (said == "fail")


def test_signals(tmp_path: Path) -> None:
    """It is waited for, told to stop, and its id is that of a process group."""
    with (tmp_path / "out").open("w") as out:
        process = start(
            "tests.support.shown", ["wait"], environment=BEGAN_WITH, stdout=out, stderr=out
        )
        assert isinstance(process, Forked)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.05)
        assert process.poll() is None
        assert os.getpgid(process.pid) == process.pid
        process.terminate()
        assert process.wait(PATIENCE_SECONDS) == -signal.SIGTERM
        process.kill()  # of one that ended it is nothing


def test_random_numbers_differ(tmp_path: Path) -> None:
    """No two of them draw the same."""
    drawn = {_run(tmp_path, "random")[1] for _ in range(3)}
    assert len(drawn) == 3


def test_dies_with_its_parent(tmp_path: Path) -> None:
    """If the run itself is killed, nothing of it stays."""
    code = (
        "import sys, time; from pathlib import Path; from tests.support.forked import *\n"
        "with open(sys.argv[1], 'w') as out:\n"
        "    p = start('tests.support.shown', ['wait'], environment=BEGAN_WITH, stdout=out,"
        " stderr=out)\n"
        "print(p.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "out")],
        cwd=ROOT,
        env=BEGAN_WITH,
        stdout=subprocess.PIPE,
        text=True,
    ) as run:
        assert run.stdout is not None
        pid = int(run.stdout.readline())
        assert Path(f"/proc/{pid}").exists()
        run.kill()
    _until(lambda: not Path(f"/proc/{pid}").exists())


def test_another_interpreter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an interpreter reads when it starts, such as PYTHONOPTIMIZE, is had by starting one."""
    monkeypatch.setattr(forked, "send", None)  # the nursery is not asked
    code, out, _ = _run(tmp_path, PYTHONOPTIMIZE="1")
    assert (code, json.loads(out)["optimize"]) == (0, 1)


def _until(found: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while not found():
        assert time.monotonic() < until
        time.sleep(0.02)

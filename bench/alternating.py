"""Two command lines of a load test in turn, each leaving a result for every round."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.result import NoResult, Run, read

OUT = "--out"


class NotRun(Exception):
    """A command line that cannot be run in turn, or that left no result."""


def in_turn(
    commands: Sequence[str], rounds: int, folder: Path, say: Callable[[str], None]
) -> tuple[list[Run], ...]:
    """The runs of each command line, ``rounds`` of them, one command after the other in each round.

    ``--out`` is given by us, with a file below ``folder``. A run that ends with exit code 1 may
    still leave a result, which then says why it is not valid. Raises NotRun, OSError.
    """
    lines = [_line(command) for command in commands]
    found: tuple[list[Run], ...] = tuple([] for _ in lines)
    for number in range(1, rounds + 1):
        for at, line in enumerate(lines):
            side = chr(ord("A") + at)
            say(f"round {number} of {rounds}, {side}: {commands[at]}")
            found[at].append(_ran(line, folder / f"{side.lower()}-{number}.json"))
    return found


def _line(command: str) -> list[str]:
    try:
        line = shlex.split(command)
    except ValueError as error:
        raise NotRun(f"{command}: {error}") from error
    if not line:
        raise NotRun("a command line is empty")
    if any(part == OUT or part.startswith(f"{OUT}=") for part in line):
        raise NotRun(f"leave {OUT} out of {command}: each round gets a file of its own")
    if line[0] == "remint" and not shutil.which("remint"):
        line[:1] = [sys.executable, "-m", "adapters.cli"]
    return line


def _ran(line: Sequence[str], path: Path) -> Run:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    try:  # what is run is what the caller typed, without a shell
        code = subprocess.run([*line, OUT, str(path)], check=False).returncode  # noqa: S603
    except OSError as error:
        raise NotRun(f"{line[0]} cannot be run: {error.strerror}") from error
    try:
        document = read(path)
    except (OSError, NoResult) as error:
        raise NotRun(f"{shlex.join(line)} left no result (exit code {code})") from error
    if not isinstance(document, Run):
        raise NotRun(f"{shlex.join(line)} left a table of a case, which is no run")
    return document

"""The tools and servers of peers: found on the PATH, run to their end, or started and stopped."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from bench.peers import PeerFailed

INSTALL_SECONDS = 1800.0
"""For a download and a build over a slow line."""
STOP_SECONDS = 30.0
PAUSE_SECONDS = 0.02
ENDED = "ZX"
"""States of proc(5)."""
SHOWN_LINES = 5


def absent(peer: str, tools: Mapping[str, str]) -> str | None:
    """The sentence for the first of the ``tools`` (what to install, by program) that the PATH does
    not have; None if it has all."""
    for program, package in tools.items():
        if shutil.which(program) is None:
            return f"{peer} needs {program}, which is not here: install {package}"
    return None


def done(*command: str, folder: Path, step: str) -> str:
    """Run a command in a folder to its good end; what it wrote. Raises PeerFailed, naming the
    ``step``."""
    try:
        process = subprocess.run(  # noqa: S603  # the tools of the peers, by name
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PeerFailed(f"{step} failed: {error}") from None
    if process.returncode:
        raise PeerFailed(f"{step} failed: {_last_lines(process.stdout)}")
    return process.stdout


class Server:
    """A server's first process, in a group of its own, and what it wrote."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.pid = process.pid
        self._process = process
        self._log = log

    def written(self) -> str:
        return self._log.read_text(errors="replace")

    def check_alive(self) -> None:
        """Raises PeerFailed with its last words if it has ended."""
        if self._process.poll() is not None:
            raise PeerFailed(f"the server ended: {_last_lines(self.written())}")

    def child(self) -> int:
        """Its only child, for a server that is started by a script; raises PeerFailed."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        if len(children) != 1:
            raise PeerFailed(f"the server's script has {len(children)} children, not one")
        return int(children[0])


@contextlib.contextmanager
def served(
    *command: str, log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """A server that writes to ``log``; at the end it is gone with all its children."""
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603  # the servers of the peers, by name
            command,
            env={**os.environ, **(environment or {})},
            cwd=log.parent,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield Server(process, log)
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        while _any_alive(process.pid):  # what was killed ends soon, but not at once
            time.sleep(PAUSE_SECONDS)


def _any_alive(group: int) -> bool:
    """Whether a process of the group has not ended."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, of_group = stat.read_text().rsplit(")", 1)[1].split()[:3]
            if int(of_group) == group and state not in ENDED:
                return True
    return False


def _last_lines(text: str) -> str:
    return " / ".join(text.strip().splitlines()[-SHOWN_LINES:]) or "it said nothing"

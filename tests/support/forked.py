"""Start processes of ours quickly: from the nursery where that is the same, else from nothing."""

from __future__ import annotations

import atexit
import functools
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Protocol

from tests.project.source import ROOT
from tests.support.nursery import Order, send

START_SECONDS = 60.0
PAUSE_SECONDS = 0.005
DIE_WITH_PARENT = ("setpriv", "--pdeathsig", "KILL", "--")  # even if the run itself is killed
# What the interpreter and the C library read once, when they start.
READ_AT_START = ("PYTHON", "LC_", "LANG", "TZ", "LD_", "MALLOC_", "OPENSSL_")

BEGAN_WITH = {
    **{k: v for k, v in os.environ.items() if not k.startswith("REMINT_")},
    "PYTHONPATH": str(ROOT),
}

_one_at_a_time = threading.Lock()


class Process(Protocol):
    """What this module gives of subprocess.Popen."""

    pid: int

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...

    def terminate(self) -> None: ...

    def kill(self) -> None: ...


class Forked:
    """A child of the nursery. ``status`` is the pipe that tells how it ended."""

    def __init__(self, pid: int, status: int) -> None:
        self.pid = pid
        self._status = status
        self._code: int | None = None
        self._reading = threading.Lock()

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        with self._reading:
            if self._code is None and select.select([self._status], [], [], 0)[0]:
                told = os.read(self._status, 64)
                os.close(self._status)
                self._code = int(told) if told else -signal.SIGKILL  # the nursery was killed
            return self._code

    def wait(self, timeout: float | None = None) -> int:
        """The exit code; raises subprocess.TimeoutExpired if there is none by then."""
        until = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if until is not None and time.monotonic() >= until:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
            time.sleep(PAUSE_SECONDS)
        return code

    def terminate(self) -> None:
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


def start(
    module: str,
    arguments: list[str],
    *,
    environment: Mapping[str, str],
    folder: Path = ROOT,
    stdin: int | IO[Any] = subprocess.DEVNULL,
    stdout: IO[Any],
    stderr: IO[Any],
) -> Process:
    """``python -m module *arguments`` in a session of its own, which dies with this process."""
    if folder != ROOT or _at_start(environment) != _at_start(BEGAN_WITH):
        return subprocess.Popen(
            [*DIE_WITH_PARENT, sys.executable, "-m", module, *arguments],
            cwd=folder,
            env=dict(environment),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
    order = Order(module, arguments, dict(environment), str(folder))
    status, told = os.pipe()
    null = os.open(os.devnull, os.O_RDONLY)
    given = null if isinstance(stdin, int) else stdin.fileno()
    try:
        with _one_at_a_time:
            pid = send(_nursery(), order, [given, stdout.fileno(), stderr.fileno(), told])
    finally:
        os.close(told)
        os.close(null)
    return Forked(pid, status)


def _at_start(environment: Mapping[str, str]) -> dict[str, str]:
    """The part of an environment that a process which runs already cannot take over."""
    found = {k: v for k, v in environment.items() if k.startswith(READ_AT_START)}
    return {"PYTHONPATH": str(ROOT)} | found


@functools.cache
def _nursery() -> socket.socket:
    """The socket of a nursery that has imported everything; it ends when the socket does, and so
    with this process, however that ends."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            # No death signal: it would come with the end of the thread that asked first.
            [sys.executable, "-m", "tests.support.nursery"],
            cwd=ROOT,
            env=BEGAN_WITH,
            stdin=theirs.fileno(),
            start_new_session=True,
        )
    ours.settimeout(START_SECONDS)
    if ours.recv(64) != b"ready":
        raise RuntimeError("the nursery did not start; what it said is on standard error")

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours

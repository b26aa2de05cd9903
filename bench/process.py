"""A server process under measurement: started, read for its CPU time, stopped."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping

STOP_SECONDS = 15
_WHOLE_PROCESS = 2  # CPUCLOCK_SCHED of the kernel's clock ids for processes


@contextlib.contextmanager
def started(
    *arguments: str, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """``python <arguments>`` with its standard output to read; stopped at the end."""
    with running(sys.executable, *arguments, environment=environment) as process:
        yield process


@contextlib.contextmanager
def running(
    *command: str, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A command with its standard output to read, its complaints for people; stopped at the end."""
    process = subprocess.Popen(  # noqa: S603  # our own modules and redis-server, by name
        command,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()


def cpu_seconds(pid: int) -> float:
    """User and system time of all threads of a process so far, to the nanosecond.

    The clock's id is what clock_getcpuclockid(3) makes of a process id on Linux.
    """
    return time.clock_gettime((~pid << 3) | _WHOLE_PROCESS)


def first_line(process: subprocess.Popen[str]) -> str:
    """What the process said first, such as its port."""
    return process.stdout.readline().strip() if process.stdout else ""

"""strace as a scalpel: which outbound calls a process makes, and its death at one of them."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

OUTBOUND = ("sendto", "sendmsg", "write", "writev", "fsync", "fdatasync", "pwrite64")
ATTACH_SECONDS = 20.0
_CALL = re.compile(r"^(\d+) +(\w+)\(")


class CannotTrace(Exception):
    """strace is not here, or may not attach to a process."""


@dataclass(frozen=True)
class Point:
    """The ``number``-th time that a thread makes a call. Threads are numbered by their ids."""

    thread: int
    call: str
    number: int


@contextlib.contextmanager
def recorded(pid: int, log: Path) -> Iterator[list[Point]]:
    """Every outbound call made in the block; the list is full once it is over."""
    points: list[Point] = []
    threads = _threads(pid)
    with _attached("-f", "-p", str(pid), "-o", str(log), "-e", f"trace={','.join(OUTBOUND)}"):
        yield points
    numbers: Counter[tuple[int, str]] = Counter()
    for found in map(_CALL.match, log.read_text().splitlines()):
        if found is not None and int(found[1]) in threads:
            place = threads.index(int(found[1])), found[2]
            numbers[place] += 1
            points.append(Point(*place, numbers[place]))


@contextlib.contextmanager
def at(point: Point, pid: int, signal: str) -> Iterator[None]:
    """In the block the process gets ``signal`` before it makes that call."""
    thread = _threads(pid)[point.thread]
    rule = f"inject={point.call}:signal={signal}:when={point.number}"
    with _attached("-p", str(thread), "-o", "/dev/null", "-e", rule):
        yield


@cache
def why_not() -> str | None:
    """Why nothing can be traced here; None if it can."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    sleeper = subprocess.Popen(["sleep", "60"])
    try:
        with _attached("-p", str(sleeper.pid), "-o", "/dev/null"):
            return None
    except CannotTrace as error:
        return str(error)
    finally:
        sleeper.kill()
        sleeper.wait()


@contextlib.contextmanager
def _attached(*arguments: str) -> Iterator[None]:
    tracer = subprocess.Popen(
        ["setpriv", "--pdeathsig", "TERM", "--", "strace", *arguments],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        _await_attached(tracer)
        yield
    finally:
        tracer.terminate()
        tracer.communicate()


def _await_attached(tracer: subprocess.Popen[str]) -> None:
    if tracer.stderr is None:
        raise CannotTrace("strace has no standard error")
    until = time.monotonic() + ATTACH_SECONDS
    while time.monotonic() < until:
        line = tracer.stderr.readline()
        if " attached" in line:
            return
        if not line:
            break
        if "ptrace" in line or "Operation not permitted" in line:
            raise CannotTrace(f"strace may not attach: {line.strip()}")
    raise CannotTrace("strace did not attach")


def _threads(pid: int) -> list[int]:
    return sorted(int(path.name) for path in Path(f"/proc/{pid}/task").iterdir())

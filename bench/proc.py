"""What Linux tells of processes under /proc: proc(5)."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
KIB = 1024
_WHOLE_PROCESS = 2  # CPUCLOCK_SCHED of the kernel's clock ids for processes
_STEAL = 7  # the place in the line of /proc/stat
_CPU_FIELDS = 8  # user to steal; guest time is part of user time


@dataclass(frozen=True, slots=True)
class Process:
    """One line of /proc/PID/stat. ``reaped`` is the time of children that were waited for."""

    pid: int
    parent: int
    born: int
    """Ticks since the machine started: with the pid it names a process for good."""
    ticks: float
    """Own user and system time, in seconds, to the hundredth."""
    reaped: float


def processes() -> Iterator[Process]:
    """All that there are."""
    for name in os.listdir("/proc"):
        if name.isdigit() and (found := process(int(name))):
            yield found


def process(pid: int) -> Process | None:
    """None where there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (OSError, UnicodeDecodeError):
        return None
    # The name of the program stands in brackets and may hold blanks and brackets itself.
    fields = text.rpartition(")")[2].split()
    user, system, child_user, child_system = (int(field) / TICKS for field in fields[11:15])
    return Process(pid, int(fields[1]), int(fields[19]), user + system, child_user + child_system)


def cpu_seconds(one: Process) -> float:
    """Own user and system time: to the nanosecond where the kernel's clock may be read.

    The clock's id is what clock_getcpuclockid(3) makes of a process id.
    """
    try:
        return time.clock_gettime((~one.pid << 3) | _WHOLE_PROCESS)
    except OSError:
        return one.ticks


def resident(pid: int) -> int:
    """Bytes in memory, those that it shares with others included; 0 where there is none."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
    except (OSError, IndexError):
        return 0


def proportional(pid: int) -> int | None:
    """Bytes in memory, its part alone of those it shares; None where that may not be read."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith("Pss:")]
    return int(found[0]) * KIB if found else None


def switches(pid: int) -> int:
    """Context switches of all its threads so far, those it asked for and others."""
    total = 0
    for path in Path(f"/proc/{pid}/task").glob("*/status"):
        try:
            lines = path.read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if "ctxt_switches" in line)
    return total


def machine_times() -> tuple[float, float]:
    """Seconds of all cores so far, and those among them that the host gave to others."""
    fields = Path("/proc/stat").read_text().splitlines()[0].split()[1 : 1 + _CPU_FIELDS]
    times = [int(field) / TICKS for field in fields]
    return sum(times), times[_STEAL] if len(times) > _STEAL else 0.0

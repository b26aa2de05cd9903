"""Watches the server's processes: CPU time, memory and context switches of whole trees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bench import proc


class NotHere(Exception):
    """A process that cannot be watched; the sentence says which and why."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One look. CPU is in seconds since each process began, memory in bytes."""

    cpu: Mapping[str, float]
    resident: Mapping[str, int]
    """With shared pages counted in each process that has them."""
    proportional: Mapping[str, int]
    """With shared pages divided among those that have them; without names that cannot be read."""
    switches: Mapping[str, int]
    machine_seconds: float
    stolen_seconds: float


@dataclass(frozen=True, slots=True)
class Used:
    """What happened between two looks."""

    cpu: Mapping[str, float]
    """CPU seconds by name."""
    memory: Mapping[str, int]
    """Resident bytes at the end, by name."""
    proportional: Mapping[str, int]
    switches: Mapping[str, int]
    steal: float
    """Part of the machine's time that its host gave to others, 0 to 1."""


class Watch:
    """Processes by name, each with all its descendants.

    A descendant that has a name itself counts under that name alone. One that ends between two
    looks still counts, through what its parent reaped; one that lost its parent counts as long as
    it was seen before.
    """

    def __init__(self, pids: Mapping[str, int]) -> None:
        """Raises NotHere for a process that is not on this machine."""
        self._roots: dict[str, proc.Process] = {}
        self._members: dict[str, dict[int, int]] = {}
        for name, pid in pids.items():
            found = proc.process(pid) if pid > 0 else None
            if found is None:
                raise NotHere(
                    f"there is no process {pid} for {name} on this machine: --pid takes processes"
                    " that run here, and a remote server's CPU time cannot be measured from here"
                )
            self._roots[name] = found
            self._members[name] = {pid: found.born}

    def look(self) -> Reading:
        """What the processes have used up to now. A tree that is gone altogether reads as 0."""
        there = {one.pid: one for one in proc.processes()}
        trees = {name: self._tree(name, there) for name in self._roots}
        machine_seconds, stolen_seconds = proc.machine_times()
        return Reading(
            cpu={
                name: sum(proc.cpu_seconds(one) + one.reaped for one in tree)
                for name, tree in trees.items()
            },
            resident={
                name: sum(proc.resident(one.pid) for one in tree) for name, tree in trees.items()
            },
            proportional={
                name: sum(parts)
                for name, tree in trees.items()
                if (parts := _all_read([proc.proportional(one.pid) for one in tree])) is not None
            },
            switches={
                name: sum(proc.switches(one.pid) for one in tree) for name, tree in trees.items()
            },
            machine_seconds=machine_seconds,
            stolen_seconds=stolen_seconds,
        )

    def gone(self) -> list[str]:
        """Names whose process has ended, or whose pid another process has by now."""
        return [
            name
            for name, root in self._roots.items()
            if (found := proc.process(root.pid)) is None or found.born != root.born
        ]

    def _tree(self, name: str, there: Mapping[int, proc.Process]) -> list[proc.Process]:
        others = {root.pid for other, root in self._roots.items() if other != name}
        known = self._members[name]
        found = {
            pid: there[pid]
            for pid, born in known.items()
            if pid in there and there[pid].born == born
        }
        children: dict[int, list[proc.Process]] = {}
        for one in there.values():
            children.setdefault(one.parent, []).append(one)
        waiting = list(found.values())
        while waiting:
            for child in children.get(waiting.pop().pid, ()):
                if child.pid not in found and child.pid not in others:
                    found[child.pid] = child
                    waiting.append(child)
        self._members[name] = {pid: one.born for pid, one in found.items()}
        return list(found.values())


def used(before: Reading, after: Reading) -> Used:
    """Between two looks of one watch. A tree that ended meanwhile used at least nothing."""
    machine = after.machine_seconds - before.machine_seconds
    stolen = after.stolen_seconds - before.stolen_seconds
    return Used(
        cpu={name: max(0.0, seconds - before.cpu[name]) for name, seconds in after.cpu.items()},
        memory=dict(after.resident),
        proportional=dict(after.proportional),
        switches={
            name: max(0, number - before.switches[name]) for name, number in after.switches.items()
        },
        steal=min(1.0, max(0.0, stolen / machine)) if machine > 0 else 0.0,
    )


def _all_read(parts: list[int | None]) -> list[int] | None:
    known = [part for part in parts if part is not None]
    return known if len(known) == len(parts) and parts else None

"""What ran out first: one sentence for each group of runs, by plain rules and named bounds."""

from __future__ import annotations

import statistics

from bench.driver.load import Open
from bench.report import words
from bench.report.groups import Group, Point, rate
from bench.result import Run

TAKEN = 0.9
"""Of a core, of a worker's core, or of the machine: what is above has nothing left."""
CORES = "cores usable"
"""What ``bench.machine`` calls them."""
STEAL = 0.05
"""Of the machine's time, given to others: above, the figure says more about the host."""


def ran_out(group: Group) -> str:
    """Of the driver, the host, the machine, or one of the server's processes; or that it is not
    known. Says also whether the load was enough to tell."""
    point = group.fullest
    return f"{_load(group, point)} {_resource(group.runs[0], point)}"


def _load(group: Group, point: Point) -> str:
    most = f"Most answers: {words.figure(point.median(rate))}/s at {words.load(point.load)}."
    if isinstance(point.load, Open) and group.saturated_from is None:
        return f"{most} The server kept up, so its limit lies higher."
    return most


def _resource(run: Run, point: Point) -> str:
    driver = point.median(lambda one: one.driver_cpu)
    if driver >= TAKEN:
        return f"The driver ran out: its busiest process took {_cores(driver)}."
    steal = point.median(lambda one: one.steal)
    if steal > STEAL:
        return f"The host gave {words.part(steal)} of the machine's time to others."
    used = _used(point)
    if not used:
        return "What ran out is not known: no process of the server was watched."
    return _server(run, used, driver)


def _server(run: Run, used: dict[str, float], driver: float) -> str:
    said = ", ".join(f"{words.plain(name)} {_cores(part)}" for name, part in used.items())
    name, most = max(used.items(), key=lambda item: item[1])
    cores = run.circumstances.machine.get(CORES)
    if isinstance(cores, int) and cores and sum(used.values()) + driver >= TAKEN * cores:
        return (
            f"The machine ran out of its {words.counted(cores, 'core')}: {said}, and the busiest "
            f"process of the driver {_cores(driver)}."
        )
    allowed = _workers(run) if name.startswith(("broker", "remint")) else 1
    if TAKEN * allowed <= most <= 1.02 * allowed:
        many = "one thread" if allowed == 1 else f"its {allowed} workers"
        return (
            f"The process {words.plain(name)} ran out: it took {_cores(most)}, as much as {many} "
            f"can. All of it: {said}."
        )
    return f"No processor ran out ({said}): look at waits, such as disks, locks and connections."


def _used(point: Point) -> dict[str, float]:
    """Cores that each process took, the median of the rounds."""
    rounds = [one for one in point.rounds if one.seconds]
    names = sorted({name for one in rounds for name in one.server_cpu})
    return {
        name: statistics.median(one.server_cpu.get(name, 0.0) / one.seconds for one in rounds)
        for name in names
    }


def _workers(run: Run) -> int:
    given = str(run.circumstances.configuration.get("workers", "1"))
    return int(given) if given.isdecimal() and int(given) else 1


def _cores(part: float) -> str:
    return f"{words.figure(part)} of a core" if part < 1 else f"{words.figure(part)} cores"

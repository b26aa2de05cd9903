"""All checks, one after the other, and their table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.table import Table

from bench.selfcheck import checks, wrk
from bench.selfcheck.checks import Say, Sizes
from bench.selfcheck.finding import Finding


async def checked(sizes: Sizes, seed: int, say: Say) -> list[Finding]:
    """Every figure. Raises DriverFailed, StubFailed, WrkFailed."""
    with TemporaryDirectory(prefix="remint-selfcheck-") as name:
        folder = Path(name)
        say(f"{checks.CONSTANT}: every answer takes {sizes.delay * 1000:.0f} ms")
        constant = await checks.undisturbed(
            lambda: checks.delays(checks.CONSTANT, [sizes.delay], sizes, folder, seed), say
        )
        say(f"{checks.SPREAD}: most take 20 to 60 ms, one in twenty 200 to 300")
        spread = await checks.undisturbed(
            lambda: checks.delays(checks.SPREAD, checks.spread(), sizes, folder, seed), say
        )
        say(f"{checks.STALL}: the server stands still for {sizes.stall:g} s")
        stalled = await checks.undisturbed(lambda: checks.stall(sizes, folder, seed), say)
        say(f"{checks.STALL_CLOSED}: what a driver says that waits for answers")
        closed = await checks.stall_closed(sizes, folder, seed)
        return [*constant, *spread, *stalled, *closed, *await _beside_wrk(sizes, folder, seed, say)]


async def _beside_wrk(sizes: Sizes, folder: Path, seed: int, say: Say) -> list[Finding]:
    if not wrk.there():
        say(f"{checks.BESIDE_WRK}: left out, since wrk is not here (Debian: apt-get install wrk)")
        return []
    say(f"{checks.BESIDE_WRK}: {sizes.connections} connections, rounds in turn")
    return await checks.beside_wrk(sizes, folder, seed)


def shown(findings: Sequence[Finding]) -> Table:
    """A line a figure."""
    made = Table(box=None, padding=(0, 2, 0, 0))
    made.add_column("check")
    made.add_column("figure")
    for name in ("measured", "must be", "off by"):
        made.add_column(name, justify="right")
    made.add_column("")
    for one in findings:
        expected = "-" if one.expected is None else f"{one.expected:,.1f} {one.unit}"
        off = "-" if one.expected is None else f"{one.deviation:.1%}"
        remark = one.remark if one.good else f"WRONG {one.remark}"
        made.add_row(
            one.check, one.figure, f"{one.measured:,.1f} {one.unit}", expected, off, remark
        )
    return made

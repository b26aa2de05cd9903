"""``remint bench selfcheck``: whether the driver of this machine tells the truth."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

SEED = 1

Seed = Annotated[int, typer.Option(help="Of the driver's samples.")]


def add_to(app: typer.Typer) -> None:
    app.command("selfcheck")(selfcheck)


def selfcheck(seed: Seed = SEED) -> None:
    """Load a server of known delays, stall it once, and drive it beside wrk: about 90 seconds.

    Exit code 1 if a figure is off by more than 5 %. Run it where nothing else runs: on a busy
    machine its figures are the machine's.
    """
    import asyncio

    from bench.driver.processes import DriverFailed
    from bench.driver.table import console
    from bench.selfcheck.checks import Sizes
    from bench.selfcheck.running import checked, shown
    from bench.selfcheck.stubs import StubFailed
    from bench.selfcheck.wrk import WrkFailed

    out = console()
    try:
        findings = asyncio.run(checked(Sizes(), seed, lambda said: out.print(said, markup=False)))
    except (DriverFailed, StubFailed, WrkFailed) as error:
        print(f"remint: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    out.print(shown(findings))
    bad = [finding for finding in findings if not finding.good]
    if bad:
        out.print(f"{len(bad)} of {len(findings)} figures are off by more than 5 %")
        raise typer.Exit(1)
    out.print("every figure is right within 5 %")

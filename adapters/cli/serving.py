"""``remint serve`` and ``remint demo``."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from adapters import demo as demonstration
from adapters import server
from adapters.cli import options
from adapters.settings import load
from adapters.settings_checks import warnings
from adapters.telemetry import log


def serve(
    config: options.Config = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, max=256, help="Processes on the one port.")
    ] = None,
) -> None:
    """Serve until told to stop."""
    settings = load(config, workers=workers)
    log.configure(settings.log.level, settings.log.format)
    for warning in warnings(settings):
        print(f"warning: {warning}", file=sys.stderr)
    raise typer.Exit(server.run(settings))


def demo(config: options.Config = None) -> None:
    """Serve with a demo user and instance, and show one translation of each kind.

    With DEMO_ONCE=1 in the environment it stops afterwards; exit code 0 if all of them worked.
    """
    settings = demonstration.settings(load(config))
    log.configure("warning", settings.log.format)
    once = os.environ.get("DEMO_ONCE", "") not in ("", "0")
    shown = demonstration.Demo(settings, once=once)
    raise typer.Exit(server.run(settings, served=shown.show, seed=demonstration.seed))


def add_to(app: typer.Typer) -> None:
    app.command()(serve)
    app.command()(demo)

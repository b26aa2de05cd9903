"""Groups of commands that other packages bring: entry points of the group ``remint.commands``.

Each names a ``typer.Typer`` and is called by the entry point's name, such as ``remint bench``.
"""

from __future__ import annotations

import sys
from importlib.metadata import entry_points

import typer

GROUP = "remint.commands"


def add_to(app: typer.Typer) -> None:
    """One that cannot be imported is named on standard error; all other commands work."""
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        try:
            group = point.load()
        except ImportError as error:
            print(f"remint: the commands {point.name} are not there: {error}", file=sys.stderr)
        else:
            app.add_typer(group, name=point.name)

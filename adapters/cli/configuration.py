"""``remint config``: check, show and describe the settings."""

from __future__ import annotations

import json
import sys

import typer

from adapters import preflight
from adapters.cli import options
from adapters.settings import InvalidSettings, Settings, examined, load

app = typer.Typer(help="Settings: check, show, describe.", no_args_is_help=True)


@app.command()
def check(config: options.Config = None) -> None:
    """Say every problem at once; exit code 2 if there is one."""
    settings, problems = examined(config)
    problems += preflight.problems(settings)
    if problems:
        raise InvalidSettings(problems)
    for warning in preflight.warnings(settings):
        print(f"warning: {warning}", file=sys.stderr)
    print("the settings hold together")


@app.command()
def show(config: options.Config = None) -> None:
    """The settings in force, secrets hidden."""
    print(load(config).model_dump_json(indent=2))


@app.command()
def schema() -> None:
    """JSON Schema of the TOML file."""
    print(json.dumps(Settings.model_json_schema(), indent=2))

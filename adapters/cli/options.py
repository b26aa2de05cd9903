"""Options that many commands share, and the settings they lead to."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from adapters.settings import Settings, load

Config = Annotated[
    Path | None, typer.Option("--config", help="TOML file of settings.", dir_okay=False)
]
Url = Annotated[
    str | None,
    typer.Option("--url", help="A running broker. Without it: the local state folder."),
]
Realm = Annotated[str, typer.Option("--realm", help="The realm, such as / or /customers.")]
Admin = Annotated[
    str,
    typer.Option(
        "--admin",
        help="Who logs in at --url; the password is REMINT_ADMIN__PASSWORD, or asked for.",
    ),
]
HYPHENS = {"ignore_unknown_options": True}
"""For commands that take an id: one in base64url may begin with a hyphen."""


def settings(config: Path | None) -> Settings:
    """Raises InvalidSettings."""
    return load(config)

"""``remint realms``: parts of a deployment with users, keys and instances of their own."""

from __future__ import annotations

from typing import Annotated

import typer

from adapters.cli import options
from adapters.cli.client import ADMINISTRATOR, ask
from adapters.http.realms import realm_key
from broker.model import normal_realm

app = typer.Typer(help="Realms: list, create, delete.", no_args_is_help=True)

Path = Annotated[str, typer.Argument(help="The realm's path, such as /customers.")]

PATH = "/json/realms"


@app.command("list")
def list_realms(
    config: options.Config = None,
    url: options.Url = None,
    admin: options.Admin = ADMINISTRATOR,
) -> None:
    """Every realm, a line each."""
    for realm in ask(config, url, admin, "GET", PATH)["result"]:
        print(realm["path"])


@app.command()
def create(
    path: Path,
    config: options.Config = None,
    url: options.Url = None,
    admin: options.Admin = ADMINISTRATOR,
) -> None:
    """Make a realm, with signing keys of its own; its parent must exist."""
    print(ask(config, url, admin, "POST", PATH, {"realm": path})["path"])


@app.command()
def delete(
    path: Path,
    config: options.Config = None,
    url: options.Url = None,
    admin: options.Admin = ADMINISTRATOR,
) -> None:
    """Remove a realm in which nothing is left, and its keys."""
    name = realm_key(normal_realm(path))
    print(f"removed {ask(config, url, admin, 'DELETE', f'{PATH}/{name}')['path']}")

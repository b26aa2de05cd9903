"""``remint keys``: the signing keys of a realm."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from adapters.cli import options
from adapters.cli.client import ADMINISTRATOR, ask

app = typer.Typer(help="Signing keys: names and states, never the keys.", no_args_is_help=True)


@app.command("list")
def list_keys(
    realm: options.Realm = "/",
    config: options.Config = None,
    url: options.Url = None,
    admin: options.Admin = ADMINISTRATOR,
) -> None:
    """The keys of a realm, a line each."""

    for key in ask(config, url, admin, "GET", _path(realm))["result"]:
        print("  ".join(str(value) for value in key.values()))


@app.command()
def generate(
    algorithm: Annotated[str, typer.Argument(help="RS256 or ES256.")],
    realm: options.Realm = "/",
    config: options.Config = None,
    url: options.Url = None,
    admin: options.Admin = ADMINISTRATOR,
) -> None:
    """Make a new active key; the one before it is retired and stays in the JWKS."""

    body, query = {"algorithm": algorithm}, {"_action": "generate"}
    print(ask(config, url, admin, "POST", _path(realm), body, query=query)["kid"])


@app.command("import")
def import_key(
    file: Annotated[Path, typer.Argument(help="PEM of an unencrypted private key.")],
    certificate: Annotated[
        Path | None, typer.Option("--certificate", help="PEM; without it one is made.")
    ] = None,
    realm: options.Realm = "/",
    config: options.Config = None,
    url: options.Url = None,
    admin: options.Admin = ADMINISTRATOR,
) -> None:
    """Import a private key, which becomes the active one of its kind."""
    body = {"key": _text(file), "certificate": _text(certificate) if certificate else None}

    print(ask(config, url, admin, "POST", _path(realm), body, query={"_action": "import"})["kid"])


def _text(file: Path) -> str:
    try:
        return file.read_text("ascii")
    except ValueError:
        raise typer.BadParameter(f"{file} is not PEM, which is text") from None


def _path(realm: str) -> str:
    return f"/json{realm.rstrip('/')}/keys"

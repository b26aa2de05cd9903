"""``remint issuers``: whose ID tokens a realm accepts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from adapters.cli import options
from adapters.cli.client import ADMINISTRATOR, CallFailed, Client, ask, run
from adapters.issuers import files
from adapters.issuers.jwk_set import MAX_SET_BYTES

app = typer.Typer(help="Trusted issuers of ID tokens.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="What administrators call the issuer.")]


@app.command("list")
def list_issuers(
    realm: options.Realm = "/",
    config: options.Config = None,
    url: options.Url = None,
    admin: options.Admin = ADMINISTRATOR,
) -> None:
    """The issuers that a realm trusts, a line each."""
    for issuer in ask(config, url, admin, "GET", _path(realm))["result"]:
        print(f"{issuer['name']} {issuer['issuer']}")


@app.command()
def get(
    name: Name,
    realm: options.Realm = "/",
    config: options.Config = None,
    url: options.Url = None,
    admin: options.Admin = ADMINISTRATOR,
) -> None:
    """An issuer as it is kept, its secret hidden."""
    print(json.dumps(ask(config, url, admin, "GET", _path(realm, name)), indent=2))


@app.command()
def put(
    file: Annotated[Path, typer.Argument(help="TOML file of issuers.", dir_okay=False)],
    config: options.Config = None,
    url: options.Url = None,
    admin: options.Admin = ADMINISTRATOR,
) -> None:
    """Put each issuer of a file in place; a jwks_file is read here, and its keys are sent."""
    found = files.read(file)

    async def work(client: Client) -> None:
        for issuer in found:
            body = dict(issuer.document)
            if "jwks_file" in body:
                body["jwks"] = _jwks(Path(body.pop("jwks_file")))
            await client.call("PUT", _path(issuer.rules.realm, issuer.rules.name), body)

    run(config, url, admin, work)
    for issuer in found:
        print(f"trusting {issuer.rules.name} in {issuer.rules.realm}")


@app.command()
def delete(
    name: Name,
    realm: options.Realm = "/",
    config: options.Config = None,
    url: options.Url = None,
    admin: options.Admin = ADMINISTRATOR,
) -> None:
    """Trust an issuer no more."""
    ask(config, url, admin, "DELETE", _path(realm, name))
    print(f"removed {name}")


def _path(realm: str, name: str = "") -> str:
    resource = f"/json{realm.rstrip('/')}/trusted-issuers"
    return resource + (f"/{quote(name, safe='')}" if name else "")


def _jwks(path: Path) -> object:
    with path.open("rb") as file:
        data = file.read(MAX_SET_BYTES + 1)
    try:
        return json.loads(data)
    except ValueError:
        raise CallFailed(f"{path} is not a JWK set in JSON") from None

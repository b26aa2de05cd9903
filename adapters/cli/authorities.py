"""``remint authorities``: whose client certificates a realm accepts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from adapters.certificates import files
from adapters.cli import options
from adapters.cli.client import ADMINISTRATOR, Client, ask, run

app = typer.Typer(help="Certificate authorities of clients.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="What administrators call the authority.")]


@app.command("list")
def list_authorities(
    realm: options.Realm = "/",
    config: options.Config = None,
    url: options.Url = None,
    admin: options.Admin = ADMINISTRATOR,
) -> None:
    """The authorities of a realm, a line each: name, subject and what is done about revocation."""
    for row in ask(config, url, admin, "GET", _path(realm))["result"]:
        print(f"{row['name']} {row['subject']} {row['revocation']}")


@app.command()
def get(
    name: Name,
    realm: options.Realm = "/",
    config: options.Config = None,
    url: options.Url = None,
    admin: options.Admin = ADMINISTRATOR,
) -> None:
    """An authority as it is kept."""
    print(json.dumps(ask(config, url, admin, "GET", _path(realm, name)), indent=2))


@app.command()
def put(
    file: Annotated[Path, typer.Argument(help="TOML file of authorities.", dir_okay=False)],
    config: options.Config = None,
    url: options.Url = None,
    admin: options.Admin = ADMINISTRATOR,
) -> None:
    """Put each authority of a file in place; files that it names are read here and sent along."""
    found = files.read(file)
    bodies = [_sent(authority.document) for authority in found]

    async def work(client: Client) -> None:
        for authority, body in zip(found, bodies, strict=True):
            path = _path(authority.rules.realm, authority.rules.name)
            await client.call("PUT", path, body)

    run(config, url, admin, work)
    for authority in found:
        print(f"accepting clients of {authority.rules.name} in {authority.rules.realm}")


@app.command()
def delete(
    name: Name,
    realm: options.Realm = "/",
    config: options.Config = None,
    url: options.Url = None,
    admin: options.Admin = ADMINISTRATOR,
) -> None:
    """Accept clients of an authority no more."""
    ask(config, url, admin, "DELETE", _path(realm, name))
    print(f"removed {name}")


def _path(realm: str, name: str = "") -> str:
    resource = f"/json{realm.rstrip('/')}/certificate-authorities"
    return resource + (f"/{quote(name, safe='')}" if name else "")


def _sent(document: Any) -> dict[str, Any]:
    """The document with its lists inline: the broker may be on another machine."""
    body = dict(document)
    lists = [files.list_text(Path(path)) for path in body.pop("crl_files", [])]
    if lists:
        body["crls"] = "\n".join([*([body["crls"]] if "crls" in body else []), *lists])
    return body

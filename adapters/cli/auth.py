"""``remint auth``: who checks the logins of a realm."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from adapters.authentication import files
from adapters.authentication.document import CHAIN, DEFAULT, MODULE
from adapters.cli import options, trying
from adapters.cli.client import ADMINISTRATOR, Client, ask, run

app = typer.Typer(help="Authentication modules, chains and defaults.", no_args_is_help=True)
app.command("test")(trying.try_login)

RESOURCES = {MODULE: "modules", CHAIN: "chains", DEFAULT: "defaults"}

Name = Annotated[
    str, typer.Argument(help="module/NAME, chain/NAME or default/TYPE, as list shows them.")
]


@app.command("list")
def list_rows(
    realm: options.Realm = "/",
    config: options.Config = None,
    url: options.Url = None,
    admin: options.Admin = ADMINISTRATOR,
) -> None:
    """The modules, chains and defaults of a realm, a line each."""

    async def work(client: Client) -> list[str]:
        lines: list[str] = []
        for part in RESOURCES:
            rows = (await client.call("GET", _path(realm, part)))["result"]
            lines.extend(f"{part}{row['_id']} {_said(row)}" for row in rows)
        return lines

    for line in run(config, url, admin, work):
        print(line)


@app.command()
def get(
    name: Name,
    realm: options.Realm = "/",
    config: options.Config = None,
    url: options.Url = None,
    admin: options.Admin = ADMINISTRATOR,
) -> None:
    """One of them as it is kept, its secrets hidden."""
    print(json.dumps(ask(config, url, admin, "GET", _place(realm, name)), indent=2))


@app.command()
def put(
    file: Annotated[Path, typer.Argument(help="TOML file of them.", dir_okay=False)],
    config: options.Config = None,
    url: options.Url = None,
    admin: options.Admin = ADMINISTRATOR,
) -> None:
    """Put each module, chain and default of a file in place, in this order."""
    found = files.read(file)

    async def work(client: Client) -> None:
        for entry in found:
            path = _path(entry.realm, entry.part, entry.name)
            await client.call("PUT", path, dict(entry.state))

    run(config, url, admin, work)
    for entry in found:
        print(f"put {entry.part}{entry.name} in {entry.realm}")


@app.command()
def delete(
    name: Name,
    realm: options.Realm = "/",
    config: options.Config = None,
    url: options.Url = None,
    admin: options.Admin = ADMINISTRATOR,
) -> None:
    """Remove one that nothing else names."""
    ask(config, url, admin, "DELETE", _place(realm, name))
    print(f"removed {name}")


def _said(row: dict[str, object]) -> str:
    if "kind" in row:
        return str(row["kind"])
    links = row.get("modules")
    if isinstance(links, list):
        return ", ".join(f"{each['module']} {each['flag']}" for each in links)
    return str(row.get("target", ""))


def _place(realm: str, name: str) -> str:
    part, slash, rest = name.partition("/")
    if part + slash not in RESOURCES or not rest:
        raise typer.BadParameter(f"write {name} as module/NAME, chain/NAME or default/TYPE")
    return _path(realm, part + slash, rest)


def _path(realm: str, part: str, name: str = "") -> str:
    resource = f"/json{realm.rstrip('/')}/authentication/{RESOURCES[part]}"
    return resource + (f"/{quote(name, safe='')}" if name else "")

"""``remint users``: the broker's own users."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from adapters.cli import factors, options
from adapters.cli.client import ADMINISTRATOR, Client, ask, run
from adapters.directories import users as user_files
from adapters.directories.local import Passwords
from broker.model import Secret

app = typer.Typer(help="Local users, passwords and second factors.", no_args_is_help=True)
app.command("totp")(factors.totp)
app.command("passcode")(factors.passcode)

Name = Annotated[str, typer.Argument(help="The user's name.")]
Attributes = Annotated[
    list[str], typer.Option("--attribute", "-a", help="NAME=VALUE; repeat for more.")
]


@app.command("list")
def list_users(
    realm: options.Realm = "/",
    config: options.Config = None,
    url: options.Url = None,
    admin: options.Admin = ADMINISTRATOR,
) -> None:
    """The users of a realm, a line each."""

    for user in ask(config, url, admin, "GET", _path(realm))["result"]:
        state = "" if user["active"] else " (inactive)"
        print(f"{user['username']}{state} {json.dumps(user['attributes'])}")


@app.command()
def add(
    name: Name,
    attribute: Attributes = [],  # noqa: B006  # typer wants the list; it is never changed
    realm: options.Realm = "/",
    config: options.Config = None,
    url: options.Url = None,
    admin: options.Admin = ADMINISTRATOR,
) -> None:
    """Add a user; the password is asked for, or read from standard input."""
    body = {"username": name, "password": _password(), "attributes": _attributes(attribute)}

    ask(config, url, admin, "POST", _path(realm), body, query={"_action": "create"})
    print(f"added {name}")


@app.command()
def passwd(
    name: Name,
    realm: options.Realm = "/",
    config: options.Config = None,
    url: options.Url = None,
    admin: options.Admin = ADMINISTRATOR,
) -> None:
    """Give a user a new password."""
    body = {"password": _password()}

    ask(config, url, admin, "PUT", _path(realm, name), body, headers={"If-Match": "*"})
    print(f"changed the password of {name}")


@app.command()
def delete(
    name: Name,
    realm: options.Realm = "/",
    config: options.Config = None,
    url: options.Url = None,
    admin: options.Admin = ADMINISTRATOR,
) -> None:
    """Remove a user."""

    ask(config, url, admin, "DELETE", _path(realm, name))
    print(f"removed {name}")


@app.command("import")
def import_users(
    file: Annotated[Path, typer.Argument(help="TOML file of users.", dir_okay=False)],
    config: options.Config = None,
    url: options.Url = None,
    admin: options.Admin = ADMINISTRATOR,
) -> None:
    """Put each user of a file in place, replacing those of the same name."""
    found = user_files.read(file)

    async def work(client: Client) -> None:
        for user in found:
            body = {
                "username": user.name,
                "password_hash": user.password_hash.reveal(),
                "attributes": {name: list(values) for name, values in user.attributes.items()},
                "active": user.active,
            }
            await client.call("PUT", _path(user.realm, user.name), body)

    run(config, url, admin, work)
    print(f"imported {len(found)}")


@app.command("hash")
def hash_password() -> None:
    """Hash a password for a file of users."""
    print(Passwords().hash(Secret(_password())).reveal())


def _path(realm: str, name: str = "") -> str:
    return f"/json{realm.rstrip('/')}/users" + (f"/{quote(name, safe='')}" if name else "")


def _password() -> str:
    if sys.stdin.isatty():
        entered: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
        return entered
    return sys.stdin.readline().rstrip("\n")


def _attributes(pairs: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise typer.BadParameter(f"write {pair} as NAME=VALUE")
        found.setdefault(name, []).append(value)
    return found

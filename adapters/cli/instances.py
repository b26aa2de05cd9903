"""``remint instances``: published instances."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from adapters.cli import importing, making_safe, options
from adapters.cli.client import ADMINISTRATOR, Client, ask, run
from adapters.cli.putting import BASE, put
from adapters.instances import forgerock, toml
from broker.model import instance_id

app = typer.Typer(help="Published instances.", no_args_is_help=True)
app.command("import")(importing.import_instances)
app.command("make-safe")(making_safe.make_safe)

Instance = Annotated[str, typer.Argument(help="realm/element; in the root realm the element.")]


@app.command("list")
def list_instances(
    config: options.Config = None,
    url: options.Url = None,
    admin: options.Admin = ADMINISTRATOR,
) -> None:
    """Every instance, a line each."""

    for name in ask(config, url, admin, "GET", BASE):
        if not name.startswith("_"):
            print(name)


@app.command()
def get(
    instance: Instance,
    config: options.Config = None,
    url: options.Url = None,
    admin: options.Admin = ADMINISTRATOR,
) -> None:
    """One instance as JSON, secrets hidden."""

    answer = ask(config, url, admin, "GET", f"{BASE}/{quote(instance)}")
    print(json.dumps(answer[answer["_id"]], indent=2))


@app.command()
def publish(
    file: Annotated[
        Path, typer.Argument(help="TOML, or JSON: a publish body or its instance_state.")
    ],
    config: options.Config = None,
    url: options.Url = None,
    admin: options.Admin = ADMINISTRATOR,
) -> None:
    """Publish an instance, or bring a published one up to date."""
    state = _read(file)
    draft, _ = forgerock.decode(state)
    name = instance_id(draft.realm, draft.url_element)

    async def work(client: Client) -> None:
        await put(client, name, state)

    run(config, url, admin, work)
    print(f"published {name}")


@app.command()
def delete(
    instance: Instance,
    config: options.Config = None,
    url: options.Url = None,
    admin: options.Admin = ADMINISTRATOR,
) -> None:
    """Take an instance away."""

    print(ask(config, url, admin, "DELETE", f"{BASE}/{quote(instance)}")["result"])


def _read(file: Path) -> dict[str, Any]:
    if file.suffix == ".toml":
        return forgerock.encode(toml.read(file))
    try:
        document = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise typer.BadParameter(f"{file}: {error}") from None
    state = document.get("instance_state", document) if isinstance(document, dict) else None
    if not isinstance(state, dict):
        raise typer.BadParameter(f"{file}: write a JSON object")
    return state

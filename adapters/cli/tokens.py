"""``remint tokens``: issued tokens."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any
from urllib.parse import quote

import typer

from adapters.cli import options
from adapters.cli.client import ADMINISTRATOR, Client, run
from broker.model import SAML2

app = typer.Typer(help="Issued tokens: list, validate, cancel.", no_args_is_help=True)

Instance = Annotated[str, typer.Option("--instance", help="realm/element of the issuer.")]


@app.command("list")
def list_tokens(
    instance: Annotated[str | None, typer.Option("--instance", help="Issued by.")] = None,
    principal: Annotated[str | None, typer.Option("--principal", help="Issued for.")] = None,
    config: options.Config = None,
    url: options.Url = None,
    admin: options.Admin = ADMINISTRATOR,
) -> None:
    """Records of issued tokens, a JSON line each; name an instance, a principal or both."""
    named = {"sts_id": instance, "token_principal": principal}
    terms = [f"/{field} eq {_quoted(value)}" for field, value in named.items() if value]
    if not terms:
        raise typer.BadParameter("name --instance, --principal or both")

    async def work(client: Client) -> Any:
        return await client.call(
            "GET", "/sts-tokengen", query={"_queryFilter": " and ".join(terms)}
        )

    for item in run(config, url, admin, work)["result"]:
        print(json.dumps(item))


@app.command()
def validate(
    instance: Instance,
    token_type: Annotated[str, typer.Option("--type", help="SAML2 or OPENIDCONNECT.")],
    config: options.Config = None,
    url: options.Url = None,
    admin: options.Admin = ADMINISTRATOR,
) -> None:
    """Whether the token on standard input is still good; exit code 1 if not."""
    body = {"validated_token_state": _state(token_type, sys.stdin.read().strip())}

    async def work(client: Client) -> Any:
        return await client.call(
            "POST", f"/rest-sts/{quote(instance)}", body, query={"_action": "validate"}
        )

    valid = run(config, url, admin, work)["token_valid"]
    print("valid" if valid else "not valid")
    raise typer.Exit(0 if valid else 1)


@app.command()
def cancel(
    token_id: Annotated[str, typer.Argument(help="The id that list shows.")],
    config: options.Config = None,
    url: options.Url = None,
    admin: options.Admin = ADMINISTRATOR,
) -> None:
    """End a token for good."""

    async def work(client: Client) -> Any:
        return await client.call("DELETE", f"/sts-tokengen/{quote(token_id, safe='')}")

    print(run(config, url, admin, work)["result"])


def _quoted(value: str) -> str:
    """A string of the filter's grammar, which knows no escapes but backslashes."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _state(token_type: str, token: str) -> dict[str, str]:
    member = "saml2_token" if token_type == SAML2 else "oidc_id_token"
    return {"token_type": token_type, member: token}

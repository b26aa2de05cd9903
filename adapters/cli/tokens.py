"""``remint tokens``: issued tokens."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any
from urllib.parse import quote

import typer

from adapters.cli import options
from adapters.cli.client import ADMINISTRATOR, Client, ask, run
from broker.model import OPENIDCONNECT, SAML2

app = typer.Typer(help="Issued tokens: list, validate, cancel.", no_args_is_help=True)

PAGE_SIZE = 1000
"""Tokens that are asked for at a time."""

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

    query = {"_queryFilter": " and ".join(terms), "_pageSize": str(PAGE_SIZE)}

    async def work(client: Client) -> None:
        cookie = ""
        while cookie is not None:
            page = {**query, "_pagedResultsCookie": cookie}
            answer = await client.call("GET", "/sts-tokengen", query=page)
            for item in answer["result"]:
                print(json.dumps(item))
            cookie = answer["pagedResultsCookie"]

    run(config, url, admin, work)


@app.command()
def validate(
    instance: Instance,
    token_type: Annotated[
        str, typer.Option("--type", help="SAML2, OPENIDCONNECT or another type.")
    ],
    config: options.Config = None,
    url: options.Url = None,
    admin: options.Admin = ADMINISTRATOR,
) -> None:
    """Whether the token on standard input is still good; exit code 1 if not."""
    body = {"validated_token_state": _state(token_type, sys.stdin.read().strip())}

    valid = ask(
        config,
        url,
        admin,
        "POST",
        f"/rest-sts/{quote(instance)}",
        body,
        query={"_action": "validate"},
        anybody=True,
    )["token_valid"]
    print("valid" if valid else "not valid")
    raise typer.Exit(0 if valid else 1)


@app.command(context_settings=options.HYPHENS)
def cancel(
    token_id: Annotated[
        str | None, typer.Argument(help="The id that list shows.", show_default=False)
    ] = None,
    instance: Annotated[str | None, typer.Option("--instance", help="All it issued.")] = None,
    principal: Annotated[str | None, typer.Option("--principal", help="All for a user.")] = None,
    key: Annotated[str | None, typer.Option("--key", help="All that a kid signed.")] = None,
    config: options.Config = None,
    url: options.Url = None,
    admin: options.Admin = ADMINISTRATOR,
) -> None:
    """End a token for good, or all tokens that match what is named; prints how many those were."""
    named = {"instance": instance, "principal": principal, "key": key}
    body = {member: value for member, value in named.items() if value is not None}
    if (token_id is None) == (not body):
        raise typer.BadParameter("name one token, or tokens by --instance, --principal, --key")
    if token_id is None:
        query = {"_action": "cancel"}
        print(ask(config, url, admin, "POST", "/sts-tokengen", body, query=query)["cancelled"])
        return

    path = f"/sts-tokengen/{quote(token_id, safe='')}"

    async def work(client: Client) -> Any:
        await client.call("GET", path)  # the wire says "removed" of anything; a slip should be told
        return await client.call("DELETE", path)

    print(run(config, url, admin, work)["result"])


def _quoted(value: str) -> str:
    """A string of the filter's grammar, which knows no escapes but backslashes."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _state(token_type: str, token: str) -> dict[str, Any]:
    if token_type == SAML2:
        return {"token_type": token_type, "saml2_token": token}
    if token_type == OPENIDCONNECT:
        return {"token_type": token_type, "oidc_id_token": token}
    try:
        state = json.loads(token)
    except ValueError:
        state = None
    if not isinstance(state, dict):
        raise typer.BadParameter(f"for {token_type} write the JSON object of its state")
    return {**state, "token_type": token_type}

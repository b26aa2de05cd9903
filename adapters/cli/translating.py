"""``remint translate``: one translation from the shell."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any
from urllib.parse import quote

import typer

from adapters.cli import options
from adapters.cli.client import ADMINISTRATOR, ask
from broker.model import OPENAM, OPENIDCONNECT, SAML2, USERNAME


def translate(
    instance: Annotated[str, typer.Option("--instance", help="realm/element.")],
    given: Annotated[str, typer.Option("--from", help="USERNAME, OPENAM or another input type.")],
    wanted: Annotated[str, typer.Option("--to", help="SAML2, OPENIDCONNECT or another type.")],
    username: Annotated[str | None, typer.Option(help="For USERNAME.")] = None,
    nonce: Annotated[str | None, typer.Option(help="For OPENIDCONNECT.")] = None,
    confirmation: Annotated[str, typer.Option(help="For SAML2.")] = "BEARER",
    config: options.Config = None,
    url: options.Url = None,
    admin: options.Admin = ADMINISTRATOR,
) -> None:
    """Translate one token and print what was issued.

    The secret (password, session id; for another type the JSON of its state) is asked for, or read
    from standard input.
    """
    entered = (
        typer.prompt("Secret", hide_input=True) if sys.stdin.isatty() else sys.stdin.readline()
    )
    body = {
        "input_token_state": _input(given, username, entered.rstrip("\n")),
        "output_token_state": _output(wanted, nonce, confirmation),
    }

    answer = ask(
        config,
        url,
        admin,
        "POST",
        f"/rest-sts/{quote(instance)}",
        body,
        query={"_action": "translate"},
        anybody=True,
    )
    print(answer.get("issued_token") or json.dumps(answer))


def _input(token_type: str, username: str | None, secret: str) -> dict[str, Any]:
    if token_type == USERNAME:
        return {"token_type": token_type, "username": username, "password": secret}
    if token_type == OPENAM:
        return {"token_type": token_type, "session_id": secret}
    try:
        state = json.loads(secret)
    except ValueError:
        state = None  # the parser's words stay out: they may quote a secret
    if not isinstance(state, dict):
        raise typer.BadParameter(f"write the state of a {token_type} token as a JSON object")
    return {**state, "token_type": token_type}


def _output(token_type: str, nonce: str | None, confirmation: str) -> dict[str, Any]:
    if token_type == SAML2:
        return {"token_type": token_type, "subject_confirmation": confirmation}
    if token_type == OPENIDCONNECT:
        named = {"nonce": nonce} if nonce else {}
        return {"token_type": token_type, "allow_access": True, **named}
    return {"token_type": token_type}


def add_to(app: typer.Typer) -> None:
    app.command()(translate)

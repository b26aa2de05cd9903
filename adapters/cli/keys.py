"""``remint keys``: the signing keys of a realm."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from adapters.cli import options
from adapters.cli.client import ADMINISTRATOR, ask

RUNBOOK = """\
Relying parties may trust it until the JWKS they keep is too old: tell them to fetch it now.
SAML service providers that pinned its certificate need the new one.
Tokens that it signed are refused here; tokens that others verify by themselves end on their own.
docs/keys.md has the whole list."""

app = typer.Typer(help="Signing keys: names and states, never the keys.", no_args_is_help=True)

Kid = Annotated[str, typer.Argument(help="As `remint keys list` shows it.")]
OFFERED = "RS, PS or ES with 256, 384 or 512, EdDSA, or Ed25519"

Algorithm = Annotated[str, typer.Argument(help=f"{OFFERED}.")]


@app.command("list")
def list_keys(
    realm: options.Realm = "/",
    config: options.Config = None,
    url: options.Url = None,
    admin: options.Admin = ADMINISTRATOR,
) -> None:
    """The keys of a realm, a line each."""

    for key in ask(config, url, admin, "GET", _path(realm))["result"]:
        print(_line(key))


@app.command(context_settings=options.HYPHENS)
def certificate(
    kid: Kid,
    realm: options.Realm = "/",
    config: options.Config = None,
    url: options.Url = None,
    admin: options.Admin = ADMINISTRATOR,
) -> None:
    """The certificate of a key, PEM, for SAML service providers."""

    print(ask(config, url, admin, "GET", f"{_path(realm)}/{kid}")["certificate"], end="")


@app.command()
def generate(
    algorithm: Algorithm,
    realm: options.Realm = "/",
    config: options.Config = None,
    url: options.Url = None,
    admin: options.Admin = ADMINISTRATOR,
) -> None:
    """Make a standby key: published, and used by a later rotation."""

    body, query = {"algorithm": algorithm}, {"_action": "generate"}
    print(ask(config, url, admin, "POST", _path(realm), body, query=query)["kid"])


@app.command()
def rotate(
    algorithm: Algorithm,
    realm: options.Realm = "/",
    config: options.Config = None,
    url: options.Url = None,
    admin: options.Admin = ADMINISTRATOR,
) -> None:
    """Have another key take over, as soon as relying parties can know it."""

    body, query = {"algorithm": algorithm}, {"_action": "rotate"}
    print(_line(ask(config, url, admin, "POST", _path(realm), body, query=query)))


@app.command(context_settings=options.HYPHENS)
def revoke(
    kid: Kid,
    realm: options.Realm = "/",
    config: options.Config = None,
    url: options.Url = None,
    admin: options.Admin = ADMINISTRATOR,
) -> None:
    """Withdraw a compromised key at once; its tokens are not valid any more."""

    query = {"_action": "revoke"}
    answer = ask(config, url, admin, "POST", _path(realm), {"kid": kid}, query=query)
    print(_line(answer))
    if answer["active"]:
        print(_line(answer["active"]))
    print(RUNBOOK)


@app.command("import")
def import_key(
    file: Annotated[Path, typer.Argument(help="PEM of an unencrypted private key.")],
    certificate: Annotated[
        Path | None, typer.Option("--certificate", help="PEM; without it one is made.")
    ] = None,
    now: Annotated[
        bool, typer.Option("--now", help="Sign with it at once: relying parties know it already.")
    ] = False,
    algorithm: Annotated[
        str | None,
        typer.Option("--algorithm", help=f"{OFFERED}; without it RS256 for an RSA key."),
    ] = None,
    realm: options.Realm = "/",
    config: options.Config = None,
    url: options.Url = None,
    admin: options.Admin = ADMINISTRATOR,
) -> None:
    """Import a private key, which takes over as after a rotation."""
    body = {
        "algorithm": algorithm,
        "key": _text(file),
        "certificate": _text(certificate) if certificate else None,
        "now": now,
    }

    print(ask(config, url, admin, "POST", _path(realm), body, query={"_action": "import"})["kid"])


def _line(key: dict[str, Any]) -> str:
    """Name, algorithm, state and age, and what becomes of it where that is known."""
    columns = [key["kid"], key["algorithm"], key["state"], key["created"]]
    if key["state"] == "next":
        columns.append(f"signs from {key['signsFrom']}" if "signsFrom" in key else "standby")
    elif "endsAt" in key:
        columns.append(f"until {key['endsAt']}")
    return "  ".join(columns)


def _text(file: Path) -> str:
    try:
        return file.read_text("ascii")
    except ValueError:
        raise typer.BadParameter(f"{file} is not PEM, which is text") from None


def _path(realm: str) -> str:
    return f"/json{realm.rstrip('/')}/keys"

"""``remint users totp`` and ``remint users passcode``: second factors of users."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

import typer

from adapters.cli import options
from adapters.cli.client import ADMINISTRATOR, ask
from adapters.http.factors import QUERY
from adapters.printable import printable
from broker.authentication import account

Name = Annotated[str | None, typer.Argument(help="The user's name; without: all of the realm.")]
Module = Annotated[
    str | None,
    typer.Option("--module", help="Whose directory has the name, if it is no local user."),
]
Listing = Annotated[bool, typer.Option("--list", help="Show what there is.")]
DEFAULT_HOURS = 24.0


def totp(
    name: Name = None,
    enrol: Annotated[bool, typer.Option("--enrol", help="Make a new authenticator.")] = False,
    confirm: Annotated[
        str | None, typer.Option("--confirm", help="The new authenticator's first code.")
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Take it away.")] = False,
    listing: Listing = False,
    algorithm: Annotated[str, typer.Option(help="SHA1, SHA256 or SHA512.")] = "SHA1",
    digits: Annotated[int, typer.Option(help="6, 7 or 8.")] = 6,
    period: Annotated[int, typer.Option(help="Seconds that a code is shown for.")] = 30,
    issuer: Annotated[str | None, typer.Option(help="What the app shows above the code.")] = None,
    module: Module = None,
    realm: options.Realm = "/",
    config: options.Config = None,
    url: options.Url = None,
    admin: options.Admin = ADMINISTRATOR,
) -> None:
    """The authenticator app of a user: --enrol, then --confirm with its first code."""
    _one_of(enrol=enrol, confirm=confirm is not None, remove=remove, list=listing)
    if listing:
        _list(ask(config, url, admin, "GET", _all(realm)), "totp", name, module)
        return
    path, query = _place(realm, name, "totp", module)
    if enrol:
        body: dict[str, Any] = {"algorithm": algorithm, "digits": digits, "period": period}
        if issuer is not None:
            body["issuer"] = issuer
        made = ask(config, url, admin, "POST", path, body, query={**query, "_action": "enrol"})
        print(made["uri"])
        print(f"or type the key: {_grouped(made['secret'])}")
        print("it counts once it is confirmed: remint users totp NAME --confirm CODE")
    elif confirm is not None:
        query["_action"] = "confirm"
        ask(config, url, admin, "POST", path, {"code": confirm}, query=query)
        print(f"confirmed the authenticator of {name}")
    else:
        ask(config, url, admin, "DELETE", path, query=query)
        print(f"removed the authenticator of {name}")


def passcode(
    name: Name = None,
    hours: Annotated[float, typer.Option(help="How long it is good for.")] = DEFAULT_HOURS,
    withdraw: Annotated[
        str | None, typer.Option("--withdraw", help="Take one back, by its first four symbols.")
    ] = None,
    listing: Listing = False,
    module: Module = None,
    realm: options.Realm = "/",
    config: options.Config = None,
    url: options.Url = None,
    admin: options.Admin = ADMINISTRATOR,
) -> None:
    """Give a user a code that counts once; it is shown this one time."""
    if listing and withdraw is not None:
        raise typer.BadParameter("choose one of --list and --withdraw")
    if listing:
        _list(ask(config, url, admin, "GET", _all(realm)), "passcode", name, module)
        return
    path, query = _place(realm, name, "passcodes", module)
    if withdraw is not None:
        ask(config, url, admin, "DELETE", f"{path}/{quote(withdraw, safe='')}", query=query)
        print(f"withdrew {withdraw}")
        return
    body = {"lifetime": round(hours * 3600)}
    made = ask(config, url, admin, "POST", path, body, query={**query, "_action": "create"})
    print(made["passcode"])


def _one_of(**given: bool) -> None:
    if sum(given.values()) != 1:
        raise typer.BadParameter(f"choose one of {', '.join(f'--{name}' for name in given)}")


def _all(realm: str) -> str:
    return f"/json{realm.rstrip('/')}/users?_queryId={QUERY}"


def _place(
    realm: str, name: str | None, part: str, module: str | None
) -> tuple[str, dict[str, str]]:
    if name is None:
        raise typer.BadParameter("say whose it is")
    path = f"/json{realm.rstrip('/')}/users/{quote(name, safe='')}/{part}"
    return path, {} if module is None else {"module": module}


def _list(answer: Any, kind: str, name: str | None, module: str | None) -> None:
    wanted = name if module is None or name is None else account(module, name)
    for row in answer["result"]:
        if row["kind"] == kind and wanted in (None, row["account"]):
            print(f"{printable(row['account'])} {_said(row)}")


def _said(row: dict[str, Any]) -> str:
    if row["kind"] == "totp":
        manner = f"{row['algorithm']}, {row['digits']} digits, {row['period']} s"
        return f"{row['state']} ({manner}), made {row['made']}"
    return f"{row['_id']} {row['state']}, until {row['expires']}"


def _grouped(key: str) -> str:
    return " ".join(key[at : at + 4] for at in range(0, len(key), 4))

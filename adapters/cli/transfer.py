"""``remint export`` and ``remint import``: the configuration as one file, sealed with a password.

They work on the store that the settings name, not through a broker: a store that was lost is filled
before any broker starts.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

import typer

from adapters.cli import options
from adapters.settings import Settings, load
from adapters.state_folder import opened_stores
from adapters.stores import MEMORY_URL, Stores
from adapters.telemetry import log
from adapters.transfer import Configuration, Plan, TransferRefused, collected, planned
from adapters.transfer_file import MAX_FILE_BYTES, opened, sealed
from broker.model import Secret

MAX_PASSWORD_BYTES = 1024

Work = Callable[[Settings, Stores], Awaitable[None]]
PasswordFile = Annotated[
    Path | None,
    typer.Option("--password-file", help="Its first line is the password; else it is asked for."),
]


def add_to(app: typer.Typer) -> None:
    app.command("export")(export_configuration)
    app.command("import")(import_configuration)


def export_configuration(
    file: Annotated[Path, typer.Argument(help="The file to write, mode 0600.")],
    password_file: PasswordFile = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
    config: options.Config = None,
) -> None:
    """Write instances, users, realms and signing keys into a file, sealed with a password."""
    if not force and file.exists():
        raise TransferRefused(f"{file} exists; --force overwrites it")
    password = _password(password_file, twice=True)

    async def work(settings: Settings, stores: Stores) -> None:
        found = await collected(stores, settings.all_realms)
        if not found.size:
            raise TransferRefused(
                "the store is empty: there is nothing to export; is it the one you mean?"
            )
        _write(file, sealed(found, password), force=force)
        print(f"exported {_counted(found)}")

    _run(config, work)


def import_configuration(
    file: Annotated[Path, typer.Argument(help="A file that `remint export` wrote.")],
    password_file: PasswordFile = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Overwrite what is there and differs.")
    ] = False,
    config: options.Config = None,
) -> None:
    """Put what is in a file into the store; what is there already and differs is left alone."""
    content = _content(file)
    wanted = opened(content, _password(password_file, twice=False))

    async def work(settings: Settings, stores: Stores) -> None:
        plan = await planned(stores, wanted)
        if plan.conflicts and not replace:
            listed = "\n  ".join(plan.conflicts)
            raise TransferRefused(
                f"nothing was imported, since the store has something else as\n  {listed}\n"
                "--replace overwrites it"
            )
        await plan.carry_out()
        _tell(plan, wanted, settings)

    _run(config, work)


def _tell(plan: Plan, wanted: Configuration, settings: Settings) -> None:
    for step in plan.steps:
        print(f"{'replaced' if step.replaces else 'added'} {step.what}")
    replaced = len(plan.conflicts)
    print(f"{len(plan.steps) - replaced} added, {replaced} replaced, {plan.unchanged} unchanged")
    used = {user.realm for user in wanted.users}
    used.update(document.realm for document in wanted.instances)
    for realm in sorted(used.difference(wanted.realms(settings.all_realms))):
        print(f"warning: there is no realm {realm}; declare it in the settings", file=sys.stderr)


def _counted(found: Configuration) -> str:
    parts = {
        "documents": len(found.documents),
        "instances": len(found.instances),
        "users": len(found.users),
        "authenticators": len(found.factors),
    }
    return ", ".join(f"{count} {name}" for name, count in parts.items())


def _run(config: Path | None, work: Work) -> None:
    async def main() -> None:
        settings = load(config)
        log.configure("warning", settings.log.format)
        if settings.store_url == MEMORY_URL:
            raise TransferRefused("memory:// keeps nothing; name another store")
        stores = await opened_stores(settings)
        try:
            await work(settings, stores)
        finally:
            await stores.close()

    asyncio.run(main())


# -- files ---------------------------------------------------------------------------------------


def _password(file: Path | None, *, twice: bool) -> Secret:
    """Raises TransferRefused where there is nobody to ask."""
    if file is not None:
        return _password_in(file)
    if not sys.stdin.isatty():
        raise TransferRefused("give --password-file FILE, since there is no terminal to ask at")
    return Secret(
        typer.prompt("Password of the file", hide_input=True, confirmation_prompt=twice, err=True)
    )


def _password_in(path: Path) -> Secret:
    with path.open("rb") as file:
        line = file.readline(MAX_PASSWORD_BYTES + 1).rstrip(b"\r\n")
    if not line or len(line) > MAX_PASSWORD_BYTES:
        raise TransferRefused(f"{path}: write the password into the first line")
    try:
        return Secret(line.decode())
    except UnicodeDecodeError:
        # "from None": the cause would quote the password
        raise TransferRefused(f"{path}: the password is not UTF-8 text") from None


def _content(path: Path) -> bytes:
    """Raises OSError, TransferRefused."""
    with path.open("rb") as file:
        content = file.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise TransferRefused(f"{path} is larger than any export")
    return content


def _write(path: Path, content: bytes, *, force: bool) -> None:
    """All of it or nothing: the file gets its name once it is whole, and is on the disk then."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if force:
            draft.replace(path)
        else:
            _name(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _name(draft: Path, path: Path) -> None:
    """A link fails if the name was taken in the meantime."""
    try:
        os.link(draft, path)
    except FileExistsError:
        raise TransferRefused(f"{path} exists; --force overwrites it") from None

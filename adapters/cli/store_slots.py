"""``remint store slots``, ``add-slot``, ``remove-slot``: which wrapping keys open the store."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

import typer

from adapters.cli import options
from adapters.cli.client import CallFailed
from adapters.keys.deployment import (
    Cell,
    DeploymentKey,
    KeyWrapper,
    add_slot,
    opens,
    read_slots,
    remove_slot,
)
from adapters.keys.root_secret import RootSecret, root_secret_from
from adapters.keys.wrapping import certificate_in, small_file, wrappers_of
from adapters.settings import Settings, load, secret
from adapters.state_folder import opened_stores
from adapters.telemetry import log
from broker.model import Secret

Work = Callable[[Settings, Cell, DeploymentKey], Awaitable[None]]

OLD_KEY = (
    "this root secret made the store with an earlier version and still is the key of what stands "
    "in it; to leave it behind, `remint export`, then `remint import` into a new store"
)


def add_to(app: typer.Typer) -> None:
    app.command("slots")(list_slots)
    app.command("add-slot")(add)
    app.command("remove-slot")(remove)


def list_slots(config: options.Config = None) -> None:
    """The wrapping keys that open the store, and what they are to the present settings."""

    async def work(settings: Settings, cell: Cell, _: DeploymentKey) -> None:
        slots = (await read_slots(cell))[1]
        present, *others = wrappers_of(settings)
        usable = {wrapper.id for wrapper in others if await opens(wrapper, slots) is not None}
        for name in sorted(slots.wrapped):
            use = "in use" if name == present.id else "opens" if name in usable else "-"
            print(f"{name}  {use}")

    _run(config, work)


def add(
    root_secret: Annotated[
        Path | None, typer.Option("--root-secret", help="File that holds a root secret.")
    ] = None,
    certificate: Annotated[
        Path | None, typer.Option("--certificate", help="PEM; needs --key.")
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option("--key", help="PEM; its passphrase is keys.wrapping_passphrase."),
    ] = None,
    config: options.Config = None,
) -> None:
    """Let one more wrapping key open the store: the next one, or one to keep in a safe."""

    async def work(settings: Settings, cell: Cell, deployment_key: DeploymentKey) -> None:
        wrapper = _wrapper(root_secret, certificate, key, secret(settings.keys.wrapping_passphrase))
        await add_slot(cell, deployment_key, wrapper)
        print(f"added {wrapper.id}")

    _run(config, work)


def remove(
    name: Annotated[str, typer.Argument(metavar="ID", help="As `remint store slots` has it.")],
    config: options.Config = None,
) -> None:
    """Let a wrapping key open the store no more; brokers that run are not disturbed."""

    async def work(settings: Settings, cell: Cell, deployment_key: DeploymentKey) -> None:
        await remove_slot(cell, name, in_use=wrappers_of(settings)[0].id)
        print(f"removed {name}")
        if deployment_key.is_secret_of(name):
            print(f"warning: {OLD_KEY}", file=sys.stderr)

    _run(config, work)


def _run(config: Path | None, work: Work) -> None:
    async def main() -> None:
        settings = load(config)
        log.configure("warning", settings.log.format)
        stores = await opened_stores(settings)
        try:
            if stores.slots is None:
                raise CallFailed("memory:// keeps nothing, and has no slots")
            await work(settings, stores.slots, stores.deployment.key)
        finally:
            await stores.close()

    asyncio.run(main())


def _wrapper(
    root_secret: Path | None, certificate: Path | None, key: Path | None, passphrase: Secret | None
) -> KeyWrapper:
    """Raises WrappingKeyError."""
    if root_secret is not None and certificate is None and key is None:
        return _root_secret_in(root_secret)
    if root_secret is None and certificate is not None and key is not None:
        return certificate_in(certificate, key, passphrase)
    raise typer.BadParameter("give --root-secret, or --certificate with --key")


def _root_secret_in(path: Path) -> RootSecret:
    return root_secret_from(Secret(small_file(path).decode("ascii", "replace")), str(path))

"""``remint store confirm-empty``: the data are lost for good, and brokers may go on without."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated

import typer

from adapters.cli import options
from adapters.cli.client import CallFailed
from adapters.settings import Settings
from adapters.state_folder import opened_stores
from adapters.stores.redis_confirm import Loss, accept_part, loss_of
from adapters.stores.redis_urls import is_redis

QUESTIONS = {
    Loss.ALL: (
        "The store is empty. Its tokens, sessions, users, instances and answers are lost, unless "
        "you restore a backup now. Begin a new store?"
    ),
    Loss.PART: (
        "Servers of the cluster came back empty. Their part of the tokens, sessions, users and "
        "answers is lost, unless you restore a backup now. Go on without?"
    ),
}


def add_to(app: typer.Typer) -> None:
    app.command("confirm-empty")(confirm)


def confirm(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: options.Config = None,
) -> None:
    """Let brokers go on with a Redis that came back without its data; needs its functions loaded.

    Brokers that run take up the new store by themselves. A Redis that still has the store's marker
    is left alone.
    """
    settings = options.settings(config)
    if not is_redis(settings.store_url):
        raise CallFailed("only a Redis can come back empty; store.url is none")
    loss = asyncio.run(loss_of(settings.store_url))
    if not yes and not _agreed(QUESTIONS[loss]):
        raise CallFailed("nothing was changed")
    print(asyncio.run(_confirmed(settings, loss)))


def _agreed(question: str) -> bool:
    if not sys.stdin.isatty():
        raise CallFailed("nobody can be asked here; say --yes, and the data are given up")
    return typer.confirm(question)


async def _confirmed(settings: Settings, loss: Loss) -> str:
    if loss is Loss.PART:
        await accept_part(settings.store_url)
        return "confirmed: brokers go on with what is left"
    stores = await opened_stores(settings, confirmed=True)
    await stores.close()
    return "confirmed: the store is new; bring its configuration back with `remint import`"

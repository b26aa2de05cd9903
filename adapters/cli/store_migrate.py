"""``remint store migrate``: bring the store of the settings to this version's schema."""

from __future__ import annotations

import asyncio

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from adapters.cli import options
from adapters.settings import Settings
from adapters.state_folder import opened_stores
from adapters.stores.redis_urls import is_redis

UP_TO_DATE = "nothing to do: the store is up to date"
AT_OPENING = "nothing to do: such a store is brought up to date whenever a broker opens it"


def add_to(app: typer.Typer) -> None:
    app.command()(migrate)


def migrate(config: options.Config = None) -> None:
    """Finish a change of version, once the last broker of the version before has ended.

    It may be cut short, and goes on from there when it is run again.
    """
    settings = options.settings(config)
    print(asyncio.run(_migrated(settings)) if is_redis(settings.store_url) else AT_OPENING)


async def _migrated(settings: Settings) -> str:
    """Do it; returns what to say of it. Raises one of ``bootstrap.REFUSALS``, and Unavailable."""
    stores = await opened_stores(settings)
    try:
        if await stores.current():
            return UP_TO_DATE
        console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
        with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
            task = bar.add_task("tokens", total=1.0)
            tokens = 0

            def progress(done: float, seen: int) -> None:
                nonlocal tokens
                tokens = seen
                bar.update(task, completed=done, description=f"{seen:,} tokens")

            await stores.migrate(progress)
        return f"migrated; {tokens:,} tokens were looked at"
    finally:
        await stores.close()

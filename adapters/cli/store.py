"""``remint store``: what a store needs of its administrator."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated

import typer

from adapters.cli import store_confirm, store_copy, store_migrate, store_slots
from adapters.stores.redis import load_functions

app = typer.Typer(help="The store behind the brokers.", no_args_is_help=True)
store_slots.add_to(app)
store_migrate.add_to(app)
store_copy.add_to(app)
store_confirm.add_to(app)


@app.command("load-functions")
def load(
    url: Annotated[
        str, typer.Argument(help="Redis, with a user that may load functions.", show_default=False)
    ],
) -> None:
    """Load the functions that brokers call into Redis; in a cluster, into every primary."""
    for warning in asyncio.run(load_functions(url)):
        print(f"warning: {warning}", file=sys.stderr)
    print("loaded")

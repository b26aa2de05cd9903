"""``remint dead``: what nobody could understand, in the queue ``remint.dead``."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from adapters.amqp.dead import MAX_LOOKED_AT, DeadLetters, opened
from adapters.cli import options
from adapters.messages import dead_key
from adapters.settings import secret
from adapters.state_folder import opened_stores
from adapters.telemetry import log
from broker.errors import InvalidRequest
from broker.model import Secret

DEFAULT_LIMIT = 100
DIGEST_KEY = "fingerprint"  # the purpose of the key that brokers write dead letters with
PASSPHRASE_VARIABLE = "DEAD_LETTER_PASSPHRASE"  # noqa: S105 - the name of a variable

app = typer.Typer(
    help="Messages that nobody could understand: list, show, send again, throw away.",
    no_args_is_help=True,
)

Wanted = Annotated[
    str, typer.Argument(help="Its number in the list, or its message id.", show_default=False)
]
T = TypeVar("T")


@app.command("list")
def list_letters(
    limit: Annotated[int, typer.Option(min=1, max=MAX_LOOKED_AT, help="How many.")] = DEFAULT_LIMIT,
    config: options.Config = None,
) -> None:
    """The oldest ones, a line each: number, message id, whether it has a body, and the reason.

    One that no broker of this deployment wrote is "not-ours".
    """
    for letter in _run(config, lambda letters: letters.all(limit)):
        body = "not-ours" if not letter.ours else "sealed" if letter.sealed else "-"
        print(f"{letter.number}  {_shown(letter.message_id)}  {body}  {_shown(letter.reason)}")


@app.command(context_settings=options.HYPHENS)
def show(wanted: Wanted, config: options.Config = None) -> None:
    """The properties of one, and why it is here; never its body."""
    letter = _run(config, lambda letters: letters.one(wanted))
    if not letter.ours:
        print("not-ours: no broker of this deployment wrote this letter")
    for name, value in letter.properties.items():
        print(f"{_printable(name)}: {_shown(value)}")


@app.command(context_settings=options.HYPHENS)
def replay(
    wanted: Wanted,
    key: Annotated[
        Path | None,
        typer.Option(
            help="PEM of the private key for amqp.dead_letter_key; its passphrase, if it has one, "
            f"is in {PASSPHRASE_VARIABLE}.",
            dir_okay=False,
        ),
    ] = None,
    config: options.Config = None,
) -> None:
    """Send one to its queue again, under its own message id, and take it out of here."""
    opener = _opener(key)
    letter, queue = _run(config, lambda letters: letters.replay(wanted, opener))
    print(f"sent {_shown(letter.message_id)} to {queue}")


@app.command(context_settings=options.HYPHENS)
def drop(wanted: Wanted, config: options.Config = None) -> None:
    """Throw one away."""
    print(f"dropped {_shown(_run(config, lambda letters: letters.drop(wanted)).message_id)}")


def _run(config: Path | None, work: Callable[[DeadLetters], Awaitable[T]]) -> T:
    """With the brokers' settings: their store has the key that tells their letters from others'."""
    settings = options.settings(config)
    url = secret(settings.amqp.url)
    if url is None:
        raise InvalidRequest("amqp.url is not set, so there are no dead letters to look after")
    log.configure("warning", settings.log.format)

    async def looked() -> T:
        stores = await opened_stores(settings)
        try:
            async with opened(url, stores.deployment.key.derive(DIGEST_KEY)) as letters:
                return await work(letters)
        finally:
            await stores.close()

    return asyncio.run(looked())


def _opener(key: Path | None) -> Callable[[bytes], bytes]:
    def opener(body: bytes) -> bytes:
        if key is None:
            raise InvalidRequest("its body is encrypted: name the private key with --key")
        given = os.environ.get(PASSPHRASE_VARIABLE)
        return dead_key.opened(body, key.read_bytes(), Secret(given) if given else None)

    return opener


def _shown(value: object) -> str:
    """A property as JSON in ASCII: whoever wrote it, a terminal does not obey it."""
    return json.dumps(value, default=str)


def _printable(name: str) -> str:
    return json.dumps(name)[1:-1]

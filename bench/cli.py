"""``remint bench``: a load tester for token services, ours and others, and the cases of our own."""

from __future__ import annotations

import sys
from importlib.util import find_spec

import typer

from bench.commands import cases, comparing, http, messages, peers, reporting, selfcheck

EXTRA = ("hdrh", "httptools", "jwt", "matplotlib", "signxml")
"""The modules that the extra ``bench`` brings."""

app = typer.Typer(
    name="bench",
    help="Measures token services: load over HTTP, AMQP and MQTT, cases with floors, reports.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.callback()
def equipped() -> None:
    """Without the extra every command would end in the middle."""
    if not all(map(find_spec, EXTRA)):
        print("remint: the load tester needs more: pip install 'remint[bench]'", file=sys.stderr)
        raise typer.Exit(1)


cases.add_to(app)
reporting.add_to(app)
comparing.add_to(app)
http.add_to(app)
messages.add_to(app)
selfcheck.add_to(app)
peers.add_to(app)

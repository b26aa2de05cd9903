"""``remint bench``: a load tester for token services, ours and others, and the cases of our own."""

from __future__ import annotations

import typer

app = typer.Typer(
    name="bench",
    help="Measures token services: load over HTTP, AMQP and MQTT, cases with floors, reports.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

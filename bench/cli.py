"""``remint bench``: a load tester for token services, ours and others, and the cases of our own."""

from __future__ import annotations

import typer

from bench.commands import cases, comparing, http, reporting, selfcheck

app = typer.Typer(
    name="bench",
    help="Measures token services: load over HTTP, AMQP and MQTT, cases with floors, reports.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
cases.add_to(app)
reporting.add_to(app)
comparing.add_to(app)
http.add_to(app)
selfcheck.add_to(app)

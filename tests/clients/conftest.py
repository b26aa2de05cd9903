"""The example clients against a broker and RabbitMQ; the Python one is taken from its folder."""

from __future__ import annotations

import sys
from pathlib import Path

# Before the tests here are imported: nothing of the examples is installed.
sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "clients" / "python"))

from tests.amqp.conftest import (  # noqa: F401  # fixtures are found by their names
    alice,
    amqp,
    opened,
    rabbitmq,
    rabbitmq_server,
)
from tests.clients.noted import client  # noqa: F401

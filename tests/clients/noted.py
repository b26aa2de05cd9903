"""A client whose tokens are noted, to be looked for in what the broker says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from remint_client import IssuedToken, Refused, RemintClient

from tests.support.planted import Planted
from tests.support.rabbitmq import RabbitMQ

PATIENCE_SECONDS = 120.0


class Noted(RemintClient):
    """Waits longer than anybody would, as the machine may be busy."""

    def __init__(self, planted: Planted, url: str, **options: Any) -> None:
        super().__init__(url, **{"timeout": PATIENCE_SECONDS, **options})
        self._planted = planted

    async def translate(self, *arguments: Any, **options: Any) -> IssuedToken:
        found = await super().translate(*arguments, **options)
        self._planted.note(found.token)
        return found

    async def translate_batch(self, *arguments: Any, **options: Any) -> list[IssuedToken | Refused]:
        found = await super().translate_batch(*arguments, **options)
        for result in found:
            if isinstance(result, IssuedToken):
                self._planted.note(result.token)
        return found


@pytest.fixture
async def client(rabbitmq: RabbitMQ, planted: Planted) -> AsyncIterator[RemintClient]:
    """An open client of the user alice."""
    async with Noted(planted, rabbitmq.url_for("alice")) as opened:
        yield opened

"""Opening a connection to the message server, such that a failure leaves nothing behind."""

from __future__ import annotations

from typing import Any

import aio_pika

from broker.model import Secret


class TidyConnection(aio_pika.Connection):
    """One that did not come about is closed at once. aio-pika leaves that to ``__del__``, which may
    run where no event loop does."""

    async def connect(self, timeout: float | None = None) -> None:  # noqa: ASYNC109  # aio-pika's
        try:
            await super().connect(timeout)
        except BaseException:
            await self.close()
            raise


async def connected(url: Secret, **options: Any) -> aio_pika.Connection:
    """An open connection; ``options`` are those of ``aio_pika.connect``, whose errors it raises."""
    return await aio_pika.connect(url.reveal(), connection_class=TidyConnection, **options)

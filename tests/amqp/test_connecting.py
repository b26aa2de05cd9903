"""A connection that fails leaves nothing behind."""

from __future__ import annotations

import aio_pika
import pytest
from aio_pika.connection import make_url
from aiormq.exceptions import AMQPConnectionError

from adapters.amqp.connecting import TidyConnection, connected
from broker.model import Secret
from tests.support.ports import free_port


@pytest.mark.parametrize("kind", [TidyConnection, aio_pika.Connection])
async def test_it_is_closed(kind: type[aio_pika.Connection]) -> None:
    """A connection to a server that was not reached is closed at once. aio-pika's own is not: once
    it does that too, ours may go."""
    connection = kind(make_url(f"amqp://127.0.0.1:{free_port()}/"))
    with pytest.raises(AMQPConnectionError):
        await connection.connect()
    assert connection.is_closed == (kind is TidyConnection)
    await connection.close()


async def test_errors_pass() -> None:
    """What went wrong is told as aio-pika tells it."""
    with pytest.raises(AMQPConnectionError):
        await connected(Secret(f"amqp://127.0.0.1:{free_port()}/"))

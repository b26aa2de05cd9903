"""Clients that mean harm, or know no better, and what others notice of them."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
from collections.abc import Iterator

import pytest

from tests.process.conftest import Brokers
from tests.support.planted import MARK
from tests.support.process import BrokerProcess

pytestmark = pytest.mark.slow


@contextlib.contextmanager
def _connected(broker: BrokerProcess) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", broker.port), timeout=10) as connection:
        yield connection


def _client(broker: BrokerProcess) -> contextlib.closing[http.client.HTTPConnection]:
    return contextlib.closing(http.client.HTTPConnection("127.0.0.1", broker.port, timeout=10))


@pytest.mark.parametrize(
    "head",
    [
        f"POST /json/authenticate HTTP/1.1\r\nHost: h\r\nX-OpenAM-Password: {MARK}\x01\r\n\r\n",
        f"POST / HTTP/1.1\r\nHost: h\r\nX-OpenAM-Password: {MARK}{'x' * 9000}\r\n\r\n",
        f"{MARK} / HTTP/9\r\n\r\n",
    ],
    ids=["control character", "too long", "no HTTP"],
)
def test_what_cannot_be_read_is_not_quoted(brokers: Brokers, head: str) -> None:
    """A request that is not HTTP gets a CREST 400 that repeats nothing of it, nor does the log."""
    broker = brokers()
    broker.start()
    with _connected(broker) as connection:
        connection.sendall(head.encode())
        response = http.client.HTTPResponse(connection)
        response.begin()
        body = response.read()
    assert response.status == 400
    assert json.loads(body)["reason"] == "Bad Request"
    assert MARK not in body.decode()
    assert response.headers["Server"] == "remint"


def test_half_a_body_takes_nobody_s_place(brokers: Brokers) -> None:
    """More half-sent bodies than requests may be in work leave room for everybody else."""
    broker = brokers(settings={"HTTP__MAX_CONCURRENCY": "4"})
    broker.start()
    half = (
        b"POST /rest-sts/none?_action=translate HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n{"
    )
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(_connected(broker)).sendall(half)
        connection = stack.enter_context(_client(broker))
        for _ in range(10):
            connection.request("POST", "/rest-sts/none?_action=translate", b"{}")
            response = connection.getresponse()
            response.read()
            assert response.status == 404


def test_there_is_a_last_connection(brokers: Brokers) -> None:
    """Beyond the limit a connection is hung up at once; when one ends there is room again."""
    broker = brokers(settings={"HTTP__MAX_CONNECTIONS": "5"})
    broker.start()
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(_connected(broker)) for _ in range(5)]
        for connection in held:
            connection.sendall(b"GET /livez HTTP/1.1\r\nHost: h\r\n\r\n")
            assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        with _connected(broker) as refused:
            assert refused.recv(1) == b""
        held[0].close()
        broker.wait_for(lambda: broker.answers("/livez"))


def test_strange_expectations_are_ignored(brokers: Brokers) -> None:
    """An Expect that we do not know changes nothing; 100-continue gets its go-ahead."""
    broker = brokers()
    broker.start()
    for expected in (b"\xff", b"the impossible"):
        with _connected(broker) as connection:
            connection.sendall(
                b"GET /json/serverinfo/* HTTP/1.1\r\nHost: h\r\nExpect: " + expected + b"\r\n\r\n"
            )
            assert connection.recv(4096).startswith(b"HTTP/1.1 200")
    with _connected(broker) as connection:
        connection.sendall(
            b"POST /json/sessions?_action=validate HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n"
            b"Expect: 100-continue\r\n\r\n"
        )
        assert connection.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"{}")
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")

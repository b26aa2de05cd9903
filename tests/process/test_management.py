"""The management port: what is told there, to whom, until when."""

from __future__ import annotations

import http.client
import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.process.conftest import Brokers
from tests.support.caller import Caller, set_up
from tests.support.certificates import loopback_certificate
from tests.support.door import user_input
from tests.support.planted import Planted
from tests.support.ports import free_port
from tests.support.process import BrokerProcess, remint
from tests.support.sockets import accepted, owner

pytestmark = pytest.mark.slow

PATHS = ("/livez", "/readyz", "/metrics", "/openapi.json", "/asyncapi.json")
WORKERS = 2
IN_FLIGHT = 20


def _get(port: int, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with closing(connection):
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()


def _answered_by(port: int, workers: list[int]) -> int | None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with closing(connection):
        connection.request("GET", "/readyz")
        assert connection.getresponse().status == 200
        return owner(accepted(port)[connection.sock.getsockname()[1]], workers)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_there_alone(brokers: Brokers, workers: str) -> None:
    """What the port is for is on it and gone from the main port; all else is on that alone."""
    port = free_port()
    broker = brokers("serve", "--workers", workers, settings=_managed(port))
    broker.start()
    assert [path for path in PATHS if not broker.answers(path, port)] == []
    assert [_get(broker.port, path)[0] for path in PATHS] == [404] * len(PATHS)
    assert broker.answers("/oauth2/jwks")
    for path in ("/oauth2/jwks", "/json/serverinfo/*", "/rest-sts/username-transformer"):
        status, body = _get(port, path)
        assert (status, json.loads(body)["code"]) == (404, 404)


def test_any_worker(brokers: Brokers) -> None:
    """Each of the workers answers there."""
    port = free_port()
    broker = brokers("serve", "--workers", str(WORKERS), settings=_managed(port))
    broker.start()
    broker.wait_for(lambda: len(broker.served_by()) == WORKERS)
    answered: set[int | None] = set()

    def all_have() -> bool:
        answered.add(_answered_by(port, broker.served_by()))
        return answered == {*broker.served_by()}

    broker.wait_for(all_have)


def test_plain_beside_tls(brokers: Brokers, tmp_path: Path) -> None:
    """With TLS at the front door the management port is plain HTTP all the same."""
    port = free_port()
    certificate, key = loopback_certificate(tmp_path)
    tls = {
        "HTTP__TLS": "on",
        "HTTP__TLS_CERTIFICATE": str(certificate),
        "HTTP__TLS_KEY": str(key),
    }
    broker = brokers("serve", settings={**tls, **_managed(port)})
    broker.start()
    assert broker.answers("/oauth2/jwks")
    assert _get(port, "/readyz")[0] == 200


def test_until_the_end(brokers: Brokers, planted: Planted) -> None:
    """While a stop waits for requests the main port is closed, and here it says that it drains."""
    port = free_port()
    broker = brokers("serve", settings={"PASSWORDS__THREADS": "1", **_managed(port)})
    broker.start()
    set_up(broker.url, planted)
    with ExitStack() as stack:
        callers = [stack.enter_context(Caller(broker.url, planted)) for _ in range(IN_FLIGHT)]
        for caller in callers:
            assert caller.request("GET", "/oauth2/jwks").status == 200
        with ThreadPoolExecutor(IN_FLIGHT + 1) as pool:
            waiting = [pool.submit(caller.translate, user_input()) for caller in callers]
            broker.wait_for(lambda: _all_read(broker, callers))
            stopped = pool.submit(broker.terminate)
            broker.wait_for(lambda: not broker.answers("/readyz", port))
            status, body = _get(port, "/readyz")
            assert (status, json.loads(body)["reasons"]) == (503, ["draining"])
            assert _get(port, "/livez")[0] == 200
            assert [answer.result().status for answer in waiting] == [200] * IN_FLIGHT
            assert stopped.result() == 0


def test_a_port_that_is_taken(brokers: Brokers, tmp_path: Path) -> None:
    """A second broker on the port says so in one sentence and exits with 1."""
    port = free_port()
    broker = brokers("serve", settings=_managed(port))
    broker.start()
    settings = {**_managed(port), "HTTP__PORT": "0"}
    for workers in ("1", "2"):
        done = remint("serve", "--workers", workers, state=tmp_path / "other", settings=settings)
        assert done.returncode == 1
        assert done.stderr == (
            f"remint: cannot listen on 127.0.0.1 port {port}: Address already in use; "
            "REMINT_HTTP__MANAGEMENT_PORT names another port\n"
        )
    assert not (tmp_path / "other").exists()


def _managed(port: int) -> dict[str, str]:
    return {"HTTP__MANAGEMENT_PORT": str(port)}


def _all_read(broker: BrokerProcess, callers: list[Caller]) -> bool:
    """Every request has left its caller and the kernel's buffer."""
    found = accepted(broker.port)
    sent = all(caller.sent == 2 for caller in callers)
    return sent and not any(found[caller.local_port].unread for caller in callers)

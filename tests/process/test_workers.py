"""Several workers on one port: one state, whoever answers; and nobody is missed when one dies."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Iterator

import pytest

from tests.process.conftest import Brokers
from tests.support.caller import Caller, set_up
from tests.support.door import an_instance, session_input
from tests.support.planted import Planted
from tests.support.process import BrokerProcess, alive
from tests.support.sockets import accepted, owner

pytestmark = pytest.mark.slow

WORKERS = 2
CONNECTIONS = 60  # that none of them reaches one of two workers is out of the question


@pytest.fixture
def broker(brokers: Brokers) -> BrokerProcess:
    """Two workers, both serving."""
    made = brokers("serve", "--workers", str(WORKERS))
    made.start()
    _both_serve(made)
    return made


def _both_serve(broker: BrokerProcess) -> None:
    broker.wait_for(lambda: len(broker.served_by()) == WORKERS)


@contextlib.contextmanager
def _one_each(broker: BrokerProcess, planted: Planted) -> Iterator[tuple[Caller, Caller]]:
    """A connection to each of the two workers, found out by whose socket it is."""
    with contextlib.ExitStack() as stack:
        found: dict[int, Caller] = {}
        for _ in range(CONNECTIONS):
            caller = stack.enter_context(Caller(broker.url, planted))
            pid = _worker_of(caller, broker)
            found.setdefault(pid, caller)
        assert sorted(found) == sorted(broker.served_by())
        first, second = found.values()
        yield first, second


def _worker_of(caller: Caller, broker: BrokerProcess) -> int:
    """Asked once it has answered, so that the connection was accepted."""
    assert caller.request("GET", "/livez").status == 200
    pid = owner(accepted(broker.port)[caller.local_port], broker.served_by())
    assert pid is not None
    return pid


def test_every_connection_is_served(broker: BrokerProcess, planted: Planted) -> None:
    """Every fresh connection is answered, and both workers get their share."""
    found = set()
    for _ in range(CONNECTIONS):
        with Caller(broker.url, planted) as caller:
            found.add(_worker_of(caller, broker))
    assert found == set(broker.served_by())


def test_workers_share_tokens(broker: BrokerProcess, planted: Planted) -> None:
    """What one worker issued the other validates and cancels, and then it is good nowhere."""
    session = set_up(broker.url, planted)
    with _one_each(broker, planted) as (one, other):
        token = one.translate(session_input(session)).body["issued_token"]
        assert [other.valid(token), one.valid(token)] == [True, True]
        other.cancel(token)
        assert [one.valid(token), other.valid(token)] == [False, False]


def test_workers_share_answers(broker: BrokerProcess, planted: Planted) -> None:
    """A request answered by one worker is answered the same by the other; there is one token."""
    given = session_input(set_up(broker.url, planted))
    with _one_each(broker, planted) as (one, other):
        first = one.translate(given, key="one")
        assert first.status == 200
        assert other.translate(given, key="one").text == first.text
        assert len(one.issued(one.admin())) == 1


def test_workers_share_instances(broker: BrokerProcess, planted: Planted) -> None:
    """An instance that one worker published every worker uses at once; a deleted one is gone."""
    given = session_input(set_up(broker.url, planted))
    with _one_each(broker, planted) as callers:
        one, other = callers
        admin = one.admin()
        one.publish(admin, an_instance("orders", oidc="ES256"))
        said = [callers[n % 2].translate(given, instance="orders").status for n in range(100)]
        assert said == [200] * 100
        other.unpublish(admin, "orders")
        said = [callers[n % 2].translate(given, instance="orders").status for n in range(20)]
        assert said == [404] * 20


def test_workers_share_keys(broker: BrokerProcess, planted: Planted) -> None:
    """A key that one worker generated the other publishes within moments."""
    with _one_each(broker, planted) as (one, other):
        body = {"algorithm": "ES256"}
        kid = one.request("POST", "/json/keys?_action=generate", body, one.admin()).body["kid"]

        def published() -> bool:
            keys = other.request("GET", "/oauth2/jwks").body["keys"]
            return kid in [key["kid"] for key in keys]

        broker.wait_for(published)


def test_worker_killed(broker: BrokerProcess, planted: Planted) -> None:
    """A worker that is killed is replaced, and nothing that it answered is lost."""
    session = set_up(broker.url, planted)
    with _one_each(broker, planted) as (one, _):
        token = one.translate(session_input(session)).body["issued_token"]
        killed = _worker_of(one, broker)
    os.kill(killed, signal.SIGKILL)
    broker.wait_for(lambda: not alive(killed))
    _both_serve(broker)
    assert killed not in broker.served_by()
    with _one_each(broker, planted) as (one, other):
        assert [one.valid(token), other.valid(token)] == [True, True]
        assert one.session_valid(session)
        assert other.session_valid(session)


def test_parent_killed(broker: BrokerProcess, planted: Planted) -> None:
    """Workers whose parent is killed end by themselves, and the port is free for the next."""
    workers = broker.served_by()
    os.kill(broker.pid, signal.SIGKILL)
    assert broker.wait() == -signal.SIGKILL
    broker.wait_for(lambda: not any(alive(pid) for pid in workers))
    with socket.create_server(("127.0.0.1", broker.port)):
        pass
    broker.start()


def test_stop_ends_every_worker(broker: BrokerProcess, planted: Planted) -> None:
    """SIGTERM at the parent ends all workers; the exit code is 0."""
    workers = broker.served_by()
    assert broker.terminate() == 0
    assert [alive(pid) for pid in workers] == [False, False]

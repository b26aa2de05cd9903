"""Stopping, and what stands in the way of starting: a sentence and an exit code each."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.process.conftest import Brokers
from tests.support.caller import Caller, set_up
from tests.support.door import user_input
from tests.support.planted import Planted
from tests.support.process import BrokerProcess, remint
from tests.support.sockets import accepted

IN_FLIGHT = 60


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
def test_drain(brokers: Brokers, planted: Planted, workers: str) -> None:
    """Requests that wait for a password check when SIGTERM comes are all answered; exit code 0."""
    settings = {"PASSWORDS__THREADS": "1", "WORKERS": workers}
    broker = brokers("serve", settings=settings)
    broker.start()
    set_up(broker.url, planted)
    with ExitStack() as stack:
        callers = [stack.enter_context(Caller(broker.url, planted)) for _ in range(IN_FLIGHT)]
        for caller in callers:
            assert caller.request("GET", "/livez").status == 200
        with ThreadPoolExecutor(IN_FLIGHT) as pool:
            waiting = [pool.submit(caller.translate, user_input()) for caller in callers]
            broker.wait_for(lambda: _all_read(broker, callers) and _translated(broker) > 0)
            unanswered = IN_FLIGHT - _translated(broker)
            code = broker.terminate()
            statuses = [answer.result().status for answer in waiting]
    assert unanswered > 0
    assert statuses == [200] * IN_FLIGHT
    assert code == 0
    assert _translated(broker) == IN_FLIGHT


@pytest.mark.slow
def test_drain_has_a_deadline(brokers: Brokers, planted: Planted) -> None:
    """A stop waits for http.drain_seconds and no longer, lets go of the rest, and exits with 0."""
    settings = {"PASSWORDS__THREADS": "1", "HTTP__DRAIN_SECONDS": "0.1"}
    broker = brokers("serve", settings=settings)
    broker.start()
    set_up(broker.url, planted)
    with ExitStack() as stack:
        callers = [stack.enter_context(Caller(broker.url, planted)) for _ in range(IN_FLIGHT)]
        for caller in callers:
            assert caller.request("GET", "/livez").status == 200
        with ThreadPoolExecutor(IN_FLIGHT) as pool:
            waiting = [pool.submit(caller.translate, user_input()) for caller in callers]
            broker.wait_for(lambda: _all_read(broker, callers))
            assert broker.terminate() == 0
            failed = [answer.exception() for answer in waiting]
    assert any(isinstance(error, OSError) for error in failed)


def _all_read(broker: BrokerProcess, callers: list[Caller]) -> bool:
    """Every request has left its caller and the kernel's buffer."""
    sent = all(caller.sent == 2 for caller in callers)
    found = accepted(broker.port)
    return sent and not any(found[caller.local_port].unread for caller in callers)


def _translated(broker: BrokerProcess) -> int:
    return len([line for line in broker.audit() if line["operation"] == "translate"])


@pytest.mark.slow
@pytest.mark.parametrize("first", ["1", "2"])
def test_port_taken(brokers: Brokers, tmp_path: Path, first: str) -> None:
    """A second broker on the port says so in one sentence and exits with 1, workers or not."""
    broker = brokers("serve", "--workers", first)
    broker.start()
    settings = {"HTTP__PORT": str(broker.port)}
    for second in ("1", "2"):
        done = remint("serve", "--workers", second, state=tmp_path / "other", settings=settings)
        assert done.returncode == 1
        assert done.stderr == (
            f"remint: cannot listen on 127.0.0.1 port {broker.port}: Address already in use; "
            "REMINT_HTTP__PORT names another port\n"
        )
    assert not (tmp_path / "other").exists()


@pytest.mark.slow
def test_stop_while_starting(brokers: Brokers) -> None:
    """SIGTERM before the broker serves ends it as well, and the next start finds whole files."""
    broker = brokers("serve")
    broker.launch()
    broker.wait_for(lambda: (broker.state / "root-secret").exists())
    broker.terminate()
    broker.start()
    assert broker.terminate() == 0


REFUSED = [
    (
        {"STORE__URL": "mongodb://x"},
        "store.url: the store URL must be memory://, sqlite:///PATH or one of Redis",
    ),
    ({"KEYS__ROOT_SECRET": "pl4nted-short"}, "keys.root_secret must be 32 random"),
    ({"AUDIT__FILE": "/nowhere/audit.log"}, "/nowhere/audit.log: No such file or directory"),
    ({"STATE_DIR": "/dev/null/state"}, "/dev/null/state: Not a directory"),
    (
        {"HTTP__TLS": "on", "HTTP__TLS_CERTIFICATE": "/no/c", "HTTP__TLS_KEY": "/no/k"},
        "cannot serve TLS with http.tls_certificate /no/c and http.tls_key /no/k: No such file",
    ),
    (
        {"WORKERS": "2", "HTTP__TLS": "on", "HTTP__TLS_CERTIFICATE": "/", "HTTP__TLS_KEY": "/"},
        "cannot serve TLS with http.tls_certificate / and http.tls_key /: ",
    ),
    ({"USERS__FILE": "/nowhere/users.toml"}, "/nowhere/users.toml"),
    ({"INSTANCES": '["/nowhere/orders.toml"]'}, "/nowhere/orders.toml"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("settings", "sentence"), REFUSED, ids=[next(iter(s)) for s, _ in REFUSED])
def test_start_refused(tmp_path: Path, settings: dict[str, str], sentence: str) -> None:
    """What keeps a broker from starting is one sentence on standard error; exit code 1."""
    named = {"HTTP__PORT": "0", **settings}
    done = remint("serve", state=tmp_path / "state", settings=named)
    assert done.returncode == 1
    assert done.stderr.startswith("remint: ")
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1
    assert "pl4nted" not in done.stderr
    assert done.stdout == ""

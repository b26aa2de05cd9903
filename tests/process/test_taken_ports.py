"""A server of the tests starts on another port if somebody was faster at its first."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bench.ports import free_ports
from tests.support import mosquitto, process, rabbitmq, redis_groups, redis_server
from tests.support.planted import Planted
from tests.support.ports import PortTaken, on_free_ports
from tests.support.redis_rules import documented_rules

Pick = Callable[[ModuleType, int], None]


@pytest.fixture
def stolen() -> Iterator[int]:
    """A port that another program listens on."""
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        yield stranger.getsockname()[1]


@pytest.fixture
def pick(monkeypatch: pytest.MonkeyPatch, stolen: int) -> Pick:
    """Has a module draw the stolen port once, after so many that are free."""

    def patched(module: ModuleType, after: int) -> None:
        drawn = itertools.chain(free_ports(after), [stolen], iter(lambda: free_ports(1)[0], 0))
        monkeypatch.setattr(module, "free_port", lambda: next(drawn), raising=False)
        monkeypatch.setattr(
            module, "free_ports", lambda n: list(itertools.islice(drawn, n)), raising=False
        )

    return patched


_REDIS = redis_server.running_redis
_CLUSTER, _SENTINELS = redis_groups.running_cluster, redis_groups.running_sentinels


@pytest.mark.server
@pytest.mark.parametrize(
    ("module", "after", "opened"),
    [
        (redis_server, 0, lambda: _REDIS(documented_rules())),
        (redis_groups, 1, lambda: _CLUSTER(documented_rules())),
        (redis_groups, 2, lambda: _SENTINELS(documented_rules())),
        (mosquitto, 0, mosquitto.running_mosquitto),
    ],
    ids=["redis", "cluster bus", "sentinel", "mosquitto"],
)
def test_stolen_port(
    module: ModuleType, after: int, opened: Callable[[], AbstractContextManager[Any]], pick: Pick
) -> None:
    """It starts all the same, and serves."""
    pick(module, after)
    with opened() as server:
        assert server.url


@pytest.mark.parametrize("after", range(3), ids=["its own", "distribution", "epmd"])
def test_stolen_port_of_rabbitmq(after: int, pick: Pick, tmp_path: Path) -> None:
    """RabbitMQ, which needs three, is not started in vain if one of them is stolen."""
    pick(rabbitmq, after)
    server = rabbitmq.RabbitMQ(tmp_path)
    with pytest.raises(PortTaken):
        server.start()
    assert server.log() == ""


@pytest.mark.server
def test_stolen_while_it_was_away() -> None:
    """A server that is started again where a stranger listens by now says so."""
    with _REDIS(documented_rules()) as server:
        server.kill()
        with socket.create_server(("127.0.0.1", server.port)), pytest.raises(PortTaken):
            server.start()
        server.start()


def test_stolen_port_of_a_broker(tmp_path: Path, pick: Pick, stolen: int, planted: Planted) -> None:
    """A broker moves once; when it was ready its address stays, since others know it."""
    pick(process, 0)
    broker = process.BrokerProcess(tmp_path)
    assert broker.port == stolen
    with process.ended(broker):
        broker.start()
        moved = broker.port
        assert moved != stolen
        broker.kill()
        with socket.create_server(("127.0.0.1", moved)), pytest.raises(PortTaken):
            broker.start()
        assert broker.port == moved


def test_it_gives_up() -> None:
    """A start is not repeated for ever, nor after another failure."""
    starts = []

    @on_free_ports
    def never(error: Exception) -> AbstractContextManager[None]:
        starts.append(error)
        raise error

    with pytest.raises(PortTaken), never(PortTaken("in use")):
        pass
    assert len(starts) == 5
    with pytest.raises(ValueError, match="other"), never(ValueError("other")):
        pass
    assert len(starts) == 6

"""``/metrics``: on its own listener alone, and the same numbers from every worker."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.process.conftest import Brokers
from tests.support.caller import Caller, set_up
from tests.support.door import session_input
from tests.support.planted import Planted
from tests.support.ports import free_port
from tests.support.process import BrokerProcess, alive
from tests.support.sockets import accepted, owner

pytestmark = pytest.mark.slow

WORKERS = 2


class Scrape:
    """One look at the page: each sample's value by its name alone, and which worker answered."""

    def __init__(self, port: int, workers: list[int], path: str = "/metrics") -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        with contextlib.closing(connection):
            connection.request("GET", path)
            answer = connection.getresponse()
            self.status, self.type = answer.status, answer.getheader("Content-Type", "")
            text = answer.read().decode()
            ours = connection.sock.getsockname()[1]
            self.worker = owner(accepted(port)[ours], workers)
        self.values: dict[str, float] = {}
        for family in text_string_to_metric_families(text) if self.status == 200 else ():
            for sample in family.samples:
                self.values[sample.name] = self.values.get(sample.name, 0) + sample.value


def _started(brokers: Brokers) -> tuple[BrokerProcess, int]:
    port = free_port()
    settings = {"METRICS__LISTEN": f"127.0.0.1:{port}", "WORKERS": str(WORKERS)}
    broker = brokers("serve", settings=settings)
    broker.start()
    broker.wait_for(lambda: len(broker.served_by()) == WORKERS)
    return broker, port


def test_all_workers_are_counted(brokers: Brokers, planted: Planted) -> None:
    """What any worker did is on the page, whoever answers, also after that worker was killed."""
    broker, port = _started(brokers)
    given = session_input(set_up(broker.url, planted))
    for _ in range(10):
        with Caller(broker.url, planted) as caller:
            assert caller.translate(given).status == 200
    scrapes: list[Scrape] = []

    def counted() -> bool:
        scrapes.append(Scrape(port, broker.served_by()))
        return scrapes[-1].values.get("remint_translations_total") == 10

    broker.wait_for(counted)
    # What the other one did, the one that answered has from memory that they share.
    (killed,) = {*broker.served_by()} - {scrapes[-1].worker}
    os.kill(killed, signal.SIGKILL)
    broker.wait_for(lambda: not alive(killed) and len(broker.served_by()) == WORKERS)
    found = Scrape(port, broker.served_by())
    assert found.type.startswith("text/plain; version=0.0.4")
    assert found.values["remint_translations_total"] == 10
    assert found.values["remint_translation_duration_seconds_count"] == 10
    assert found.values["remint_outbox_messages"] >= 0


def test_not_at_the_front_door(brokers: Brokers) -> None:
    """The front door has no such page, and the page's listener nothing else."""
    broker, port = _started(brokers)
    assert not broker.answers("/metrics")
    assert Scrape(port, broker.served_by()).status == 200
    assert Scrape(port, broker.served_by(), "/readyz").status == 404


def test_a_place_that_is_taken(brokers: Brokers) -> None:
    """A place that is taken is said, with the setting that names another."""
    _, port = _started(brokers)
    second = brokers(
        "serve", settings={"METRICS__LISTEN": f"127.0.0.1:{port}", "HTTP__PORT": str(free_port())}
    )
    second.launch()
    assert second.wait() != 0
    assert "REMINT_METRICS__LISTEN" in second.output()

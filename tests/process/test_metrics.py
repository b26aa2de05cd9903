"""``/metrics``: the same numbers from every worker, also of those that are gone."""

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
from tests.support.process import alive
from tests.support.sockets import accepted, owner

pytestmark = pytest.mark.slow

WORKERS = 2


class Scrape:
    """One look at the page: each sample's value by its name alone, and which worker answered."""

    def __init__(self, port: int, workers: list[int]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        with contextlib.closing(connection):
            connection.request("GET", "/metrics")
            answer = connection.getresponse()
            self.status, self.type = answer.status, answer.getheader("Content-Type", "")
            text = answer.read().decode()
            ours = connection.sock.getsockname()[1]
            self.worker = owner(accepted(port)[ours], workers)
        self.values: dict[str, float] = {}
        for family in text_string_to_metric_families(text) if self.status == 200 else ():
            for sample in family.samples:
                self.values[sample.name] = self.values.get(sample.name, 0) + sample.value


@pytest.mark.parametrize("managed", [False, True], ids=["main port", "management port"])
def test_all_workers_are_counted(brokers: Brokers, planted: Planted, managed: bool) -> None:
    """What any worker did is on the page, whoever answers, also after that worker was killed."""
    settings = {"WORKERS": str(WORKERS)}
    if managed:
        settings["HTTP__MANAGEMENT_PORT"] = str(free_port())
    broker = brokers("serve", settings=settings)
    broker.start()
    broker.wait_for(lambda: len(broker.served_by()) == WORKERS)
    port = broker.managed or broker.port
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

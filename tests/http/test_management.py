"""What those who look after a broker may read, on the main port unless settings say otherwise."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import patch

import pytest
from prometheus_client.parser import text_string_to_metric_families

from adapters.http import metrics
from adapters.telemetry import prometheus
from broker.errors import Unavailable
from tests.support import door as doors
from tests.support.door import ID_TOKEN, Door, session_input
from tests.support.planted import Planted

PATHS = ("/livez", "/readyz", "/metrics", "/openapi.json", "/asyncapi.json")


async def _page(door: Door) -> dict[str, float]:
    """Each metric's value over all its labels."""
    async with door.http.get(door.url + "/metrics") as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        text = await answer.text()
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name] = found.get(sample.name, 0) + sample.value
    return found


@pytest.mark.parametrize("path", PATHS)
async def test_on_the_main_port(door: Door, path: str) -> None:
    """Each of them is there for anybody; nothing can be sent there, and nothing is audited."""
    async with door.http.get(door.url + path) as answer:
        assert (answer.status, answer.headers["Server"]) == (200, "remint")
    refused = await door.request("POST", path, body={})
    assert (refused.status, refused.headers["Allow"]) == (405, "GET, HEAD")
    assert door.audit() == []


@pytest.mark.parametrize("path", PATHS)
async def test_not_on_the_main_port(
    tmp_path: Path, planted: Planted, said: list[str], path: str
) -> None:
    """With a management port in the settings the main port knows none of them."""
    async with doors.opened(tmp_path / "state", planted, http={"management_port": 9464}) as door:
        assert (await door.request("GET", path)).status == 404
        assert (await door.request("GET", "/oauth2/jwks")).status == 200


async def test_what_was_done(door: Door) -> None:
    """A translation and a refusal are on the page."""
    given = session_input(await door.login())
    assert (await door.translate(given, ID_TOKEN)).status == 200
    assert (await door.translate(given, ID_TOKEN, instance="nowhere")).status == 404
    found = await _page(door)
    assert found["remint_translations_total"] == 2
    assert found["remint_refusals_total"] == 1
    assert found["remint_workers"] == 1


async def test_written_once(door: Door) -> None:
    """However often it is asked for, a page is written once in a while: it costs more than it is
    worth to a stranger."""
    with (
        patch.object(metrics, "KEPT_SECONDS", 3600.0),
        patch.object(prometheus, "written", wraps=prometheus.written) as written,
    ):
        pages = [await _page(door) for _ in range(5)]
    assert pages == [pages[0]] * 5
    assert written.call_count == 1


async def test_store_in_trouble(door: Door) -> None:
    """While the store cannot be asked, its one number is missing and the others are there."""
    outbox = type(door.broker.stores.outbox)
    with patch.object(outbox, "size", side_effect=Unavailable("the store is gone")):
        found = await _page(door)
    assert "remint_outbox_messages" not in found
    assert found["remint_workers"] == 1

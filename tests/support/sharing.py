"""Brokers that share one store, and nothing else but the root secret."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.support.process import BrokerProcess, ended

ROOT_SECRET = bytes(range(32)).hex()

SETTINGS = {
    "KEYS__ROOT_SECRET": ROOT_SECRET,
    # a load comes from one session, which is a stranger to HTTP
    "ANSWERS__REQUESTS_PER_HOUR_OF_STRANGERS": "1000000",
}


def sharer(
    folder: Path,
    url: str,
    *arguments: str,
    module: str = "adapters.cli",
    settings: Mapping[str, str] | None = None,
) -> BrokerProcess:
    """A broker on the store behind ``url``, not started, with ``folder`` to itself."""
    folder.mkdir(parents=True)
    given = {"STORE__URL": url, **SETTINGS, **(settings or {})}
    return BrokerProcess(folder, *arguments, module=module, settings=given)


@contextmanager
def sharing(
    folder: Path,
    *urls: str,
    module: str = "adapters.cli",
    settings: Mapping[str, str] | None = None,
) -> Iterator[list[BrokerProcess]]:
    """Brokers that serve, one for each URL of the same store; no trace of them afterwards."""
    with ExitStack() as stack:
        brokers = [
            sharer(folder / f"broker-{n}", url, module=module, settings=settings)
            for n, url in enumerate(urls)
        ]
        for broker in brokers:
            stack.enter_context(ended(broker))
        for broker in brokers:
            broker.launch()
        for broker in brokers:
            broker.wait_ready()
        yield brokers

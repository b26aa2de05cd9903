"""Brokers for one test: no process outlives it, and no secret stands in what they wrote."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

from tests.support.planted import Planted
from tests.support.process import BrokerProcess, ended


class Brokers(Protocol):
    def __call__(
        self,
        *arguments: str,
        module: str = "adapters.cli",
        settings: Mapping[str, str] | None = None,
    ) -> BrokerProcess: ...


@pytest.fixture
def brokers(tmp_path: Path, planted: Planted) -> Iterator[Brokers]:
    """Makes brokers that are not started yet, all on one state folder."""
    made: list[BrokerProcess] = []
    with ExitStack() as stack:

        def make(
            *arguments: str,
            module: str = "adapters.cli",
            settings: Mapping[str, str] | None = None,
        ) -> BrokerProcess:
            broker = BrokerProcess(tmp_path, *arguments, module=module, settings=settings)
            made.append(stack.enter_context(ended(broker)))
            return broker

        yield make
    found = planted.found_in(text for broker in made for text in broker.texts())
    assert not found, "a secret was put out"

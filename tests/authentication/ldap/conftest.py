"""A slapd for all tests that only read, and modules that ask it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, Protocol

import pytest

from adapters.authentication.kinds import Parts
from broker.authentication import AuthModule
from tests.authentication.ldap.logins import document
from tests.support import authentication
from tests.support.slapd import Slapd, running_slapd


class Making(Protocol):
    """Makes a module; ``more`` goes over its document."""

    def __call__(
        self, slapd: Slapd, *urls: str, name: str = "corp", parts: Parts | None = None, **more: Any
    ) -> AuthModule: ...


@pytest.fixture(scope="session")
def slapd() -> Iterator[Slapd]:
    """Nobody changes what is in it."""
    with running_slapd() as running:
        yield running


@pytest.fixture
def own_slapd() -> Iterator[Slapd]:
    """One to change, to stop and to kill."""
    with running_slapd() as running:
        yield running


@pytest.fixture
async def ldap() -> AsyncIterator[Making]:
    """Makes modules, and closes them."""
    made: list[AuthModule] = []

    def make(
        slapd: Slapd, *urls: str, name: str = "corp", parts: Parts | None = None, **more: Any
    ) -> AuthModule:
        given = parts or authentication.parts(slapd.folder)
        made.append(authentication.module(document(slapd, *urls, name=name, **more), given))
        return made[-1]

    yield make
    for module in made:
        await module.close()

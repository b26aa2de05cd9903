"""A slapd with identities that lead to others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.authentication.resolution.world import PEOPLE_LDIF
from tests.support.slapd import Slapd, running_slapd


@pytest.fixture(scope="session")
def slapd() -> Iterator[Slapd]:
    """Nobody changes what is in it."""
    with running_slapd(tree=PEOPLE_LDIF) as running:
        yield running


@pytest.fixture
def own_slapd() -> Iterator[Slapd]:
    """One to change and to kill."""
    with running_slapd(tree=PEOPLE_LDIF) as running:
        yield running

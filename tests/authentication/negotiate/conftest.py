"""A KDC, and a broker that has the key of a service."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.authentication.negotiate.asking import (
    MODULES,
    People,
)
from tests.support import door as doors
from tests.support.authentication import authentication_file
from tests.support.door import (
    Door,
)
from tests.support.kdc import REALM, running_kdc
from tests.support.planted import Planted


@pytest.fixture(scope="module")
def people() -> Iterator[People]:
    with running_kdc() as kdc, pytest.MonkeyPatch.context() as patch:
        for name, value in kdc.environment.items():
            patch.setenv(name, value)
        kdc.keytab(f"HTTP/localhost@{REALM}", "http.keytab")
        kdc.keytab(f"ldap/localhost@{REALM}", "other.keytab")
        alice, demo, admin = (
            kdc.user(f"{name}@{REALM}", "-f") for name in ("alice", "demo", "admin")
        )
        yield People(kdc, alice, demo, admin, kdc.user(f"alice/admin@{REALM}"))


@pytest.fixture
async def front(
    people: People, tmp_path: Path, planted: Planted, said: list[str]
) -> AsyncIterator[Door]:
    for name in ("http.keytab", "other.keytab"):
        shutil.copy(people.kdc.folder / name, tmp_path / name)
    settings = authentication_file(tmp_path, MODULES)
    async with doors.opened(tmp_path / "state", planted, **settings) as opened:
        yield opened
        said.extend(opened.refusals)
    said.append((tmp_path / "state" / "audit.log").read_text())

"""A RADIUS server's challenge, asked back by callbacks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.authentication.authenticate.asking import answered, begin, credentials, types
from tests.authentication.test_radius_door import modules
from tests.support import door as doors
from tests.support.authentication import authentication_file
from tests.support.door import HEADER, Door
from tests.support.freeradius import CODE, PASSWORDS, SECRET, running_freeradius
from tests.support.planted import USER_PASSWORD, Planted

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("freeradius")]

CORP = "?authIndexType=module&authIndexValue=corp"
TWO = "?authIndexType=service&authIndexValue=twoFactor"
OWN_CODE = "135790"
"""What the server takes for a code of ``demo``."""


@pytest.fixture
async def front(tmp_path: Path, planted: Planted, said: list[str]) -> AsyncIterator[Door]:
    for secret in (SECRET, *PASSWORDS.values(), CODE):
        planted.note(secret)
    with running_freeradius() as server:
        settings = authentication_file(tmp_path, modules(server))
        async with doors.opened(tmp_path / "state", planted, **settings) as opened:
            yield opened
            said.extend(opened.refusals)


async def test_a_challenge(front: Door) -> None:
    """The server's question reaches the person, and the answer the server; once."""
    step = await begin(front, CORP, **credentials("carol", PASSWORDS["carol"]))
    assert (step.status, len(types(step))) == (200, 1)
    done = await answered(front, step, CODE)
    assert done.status == 200
    head = {HEADER: done.body["tokenId"]}
    info = await front.request("POST", "/json/sessions?_action=getSessionInfo", headers=head)
    assert info.body["properties"]["Principal"] == "auth://corp#carol"
    assert (await answered(front, step, CODE)).status == 401


async def test_a_second_factor(front: Door) -> None:
    """A local user's password, then the code that the server checks."""
    step = await begin(front, TWO)
    step = await answered(front, step, "demo", USER_PASSWORD)
    assert step.body["stage"] == "codes2"
    assert (await answered(front, step, "1")).status == 401
    step = await begin(front, TWO, **credentials())
    assert (await answered(front, step, OWN_CODE)).status == 200


async def test_a_login_without_credentials(front: Door) -> None:
    """A module that wants a name and a password asks for them."""
    step = await begin(front, CORP)
    assert (step.body["stage"], types(step)) == ("corp1", ["NameCallback", "PasswordCallback"])
    assert (await answered(front, step, "alice", PASSWORDS["alice"])).status == 200

"""The interim session that a plug-in reads, through the front door."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from broker.errors import Forbidden
from broker.instance import Instance, Saml2PlugIns
from broker.plug_ins import Translation
from tests.support import door as doors
from tests.support.door import (
    ASSERTION,
    Door,
    an_instance,
    pair,
    session_input,
    user_input,
)
from tests.support.planted import Planted

NAME = "tests.http.test_interim_session:SessionReader"
PAIRS = (("USERNAME", "SAML2"), ("OPENAM", "SAML2"))
GIVEN: list[str] = []
"""The sessions that the plug-in below got."""

REFUSING: list[bool] = []


class SessionReader:
    """Reads the session, as a mapper does that calls a service in the subject's name."""

    async def attributes(self, order: Translation) -> Any:
        behind = order.principal.behind
        session = None if behind is None else await behind.session_id()
        if session is not None:
            GIVEN.append(session.reveal())
        if REFUSING:
            raise Forbidden("not today")
        return {"read": "no" if session is None else "yes"}


def _instance(element: str, *, end_session: bool) -> Instance:
    made = an_instance(
        element, transforms=tuple(pair(*each, end_session=end_session) for each in PAIRS)
    )
    assert made.saml2 is not None
    plug_ins = Saml2PlugIns(attribute_mapper=NAME)
    return replace(made, saml2=replace(made.saml2, plug_ins=plug_ins))


@pytest.fixture
async def reading(tmp_path: Path, planted: Planted, said: list[str]) -> AsyncIterator[Door]:
    GIVEN.clear()
    REFUSING.clear()
    allowed = {"allowed": [NAME]}
    async with doors.opened(tmp_path / "state", planted, plugins=allowed) as door:
        await door.publish(
            _instance("ending", end_session=True), _instance("staying", end_session=False)
        )
        yield door
        for session in GIVEN:
            planted.note(session)
        said.extend(door.refusals)
    said.append((tmp_path / "state" / "audit.log").read_text())


async def _valid(door: Door, session: str) -> bool:
    path = "/json/sessions?_action=validate"
    answer = await door.request("POST", path, body={"tokenId": session})
    return bool(answer.body["valid"])


async def test_it_ends_with_the_translation(reading: Door) -> None:
    """The session that the plug-in read is over once the token is out."""
    answer = await reading.translate(user_input(), ASSERTION, instance="ending")
    assert answer.status == 200
    assert ">yes<" in answer.body["issued_token"]
    (session,) = GIVEN
    assert not await _valid(reading, session)


async def test_it_ends_when_the_plug_in_refuses(reading: Door) -> None:
    """No session is left behind where no token was issued, whatever the transform's flag says."""
    REFUSING.append(True)
    for instance in ("ending", "staying"):
        answer = await reading.translate(user_input(), ASSERTION, instance=instance)
        assert answer.status == 403
    assert len(GIVEN) == 2
    assert [await _valid(reading, session) for session in GIVEN] == [False, False]


async def test_it_ends_with_its_token(reading: Door) -> None:
    """Where the flag leaves it standing it speaks for the subject, without any right to administer,
    until its token is cancelled."""
    await reading.add_user("ann", attributes={"roles": ("admin",)})
    answer = await reading.translate(user_input(name="ann"), ASSERTION, instance="staying")
    assert answer.status == 200
    (session,) = GIVEN
    assert await _valid(reading, session)
    head = {doors.HEADER: session}
    assert (await reading.request("GET", "/json/users", headers=head)).status == 403
    state = {"token_type": "SAML2", "saml2_token": answer.body["issued_token"]}
    assert (await reading.cancel(state, instance="staying")).status == 200
    assert not await _valid(reading, session)


async def test_who_came_with_a_session(reading: Door) -> None:
    """The plug-in reads the session that came in; cancelling the token leaves that standing."""
    session = await reading.login()
    answer = await reading.translate(session_input(session), ASSERTION, instance="staying")
    assert answer.status == 200
    assert [session] == GIVEN
    state = {"token_type": "SAML2", "saml2_token": answer.body["issued_token"]}
    assert (await reading.cancel(state, instance="staying")).status == 200
    assert await _valid(reading, session)

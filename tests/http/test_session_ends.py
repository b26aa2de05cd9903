"""A session that its transform ends, however the request that showed it comes to its end."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import aiohttp
import pytest

from broker.errors import Unavailable
from broker.model import Secret
from tests.support.door import ASSERTION, ID_TOKEN, Door, an_instance, pair, session_input

ENDING, STAYING = "ending", "staying"


@pytest.fixture
async def ends(door: Door) -> Door:
    pairs = [("OPENAM", "OPENIDCONNECT"), ("OPENAM", "SAML2")]
    await door.publish(
        an_instance(ENDING, transforms=tuple(pair(*each, end_session=True) for each in pairs)),
        an_instance(STAYING, transforms=tuple(pair(*each) for each in pairs)),
    )
    return door


async def _stands(door: Door, session: str) -> bool:
    path = f"/json/sessions/{session}?_action=validate"
    return bool((await door.request("POST", path)).body["valid"])


@pytest.mark.parametrize("wanted", [ID_TOKEN, ASSERTION], ids=["ID token", "assertion"])
async def test_with_the_token(ends: Door, wanted: Any) -> None:
    """The session ends with the first token of a transform that ends it, and with no other's."""
    session = await ends.login()
    given = session_input(session)
    assert (await ends.translate(given, wanted, instance=STAYING)).status == 200
    assert await _stands(ends, session)
    assert (await ends.translate(given, wanted, instance=ENDING)).status == 200
    assert not await _stands(ends, session)


async def test_when_issuing_is_refused(ends: Door) -> None:
    """A session that was good ends although its realm is not served."""
    session = await ends.login(realm="/fred/bobo")
    answer = await ends.translate(session_input(session), ID_TOKEN, instance=ENDING)
    assert answer.status == 403
    assert not await _stands(ends, session)


async def test_a_mistake_in_the_request_leaves_it(ends: Door) -> None:
    """A request that is refused before its session was looked at may be corrected."""
    session = await ends.login()
    wrong = {**ID_TOKEN, "allow_access": False}
    assert (await ends.translate(session_input(session), wrong, instance=ENDING)).status == 400
    assert await _stands(ends, session)
    assert (await ends.translate(session_input(session), ID_TOKEN, instance=ENDING)).status == 200


@pytest.mark.parametrize("failure", [Unavailable("down"), asyncio.CancelledError()], ids=repr)
async def test_the_worker_dies_after_the_commit(
    ends: Door, monkeypatch: pytest.MonkeyPatch, failure: BaseException
) -> None:
    """If a session could not be ended, or its worker died before, a retry ends it and gets the
    token that was committed."""
    session = await ends.login()
    given, key = session_input(session), {"Idempotency-Key": "k"}

    async def dying(session_id: Secret) -> bool:
        raise failure

    with monkeypatch.context() as patch:
        patch.setattr(ends.broker.stores.sessions, "end", dying)
        with contextlib.suppress(aiohttp.ServerDisconnectedError):  # who dies answers nobody
            await ends.translate(given, ID_TOKEN, instance=ENDING, headers=key)
    assert await _stands(ends, session)
    (record,) = await ends.tokens()
    answer = await ends.translate(given, ID_TOKEN, instance=ENDING, headers=key)
    assert answer.status == 200
    assert not await _stands(ends, session)
    assert await ends.tokens() == [record]
    state = {"token_type": "OPENIDCONNECT", "oidc_id_token": answer.body["issued_token"]}
    assert (await ends.validate(state, instance=ENDING)).body == {"token_valid": True}


async def test_cancelling_the_token_leaves_the_user_s_session(ends: Door) -> None:
    """A session that a user logged in to is not ended by cancelling a token made from it."""
    session = await ends.login()
    answer = await ends.translate(session_input(session), ID_TOKEN, instance=STAYING)
    state = {"token_type": "OPENIDCONNECT", "oidc_id_token": answer.body["issued_token"]}
    assert (await ends.cancel(state, instance=STAYING)).status == 200
    assert await _stands(ends, session)

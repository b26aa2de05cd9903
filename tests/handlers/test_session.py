"""OPENAM input."""

from __future__ import annotations

from dataclasses import replace

import pytest

from broker.errors import InvalidRequest, SessionInvalid
from broker.model import OPENAM, Secret, Session
from broker.policy import TOUCH_SECONDS
from handlers.session.validator import MAX_SESSION_ID_LENGTH, SessionValidator
from tests.handlers.builders import NOW, Sessions, Users, instance, received, user

ID = "AQIC5-planted-secret"
SESSION = Session(
    id=Secret(ID),
    uid="u1",
    principal="demo",
    realm="/fred",
    created_at=NOW - 100,
    last_access_at=NOW - 10,
    max_idle_seconds=60,
    max_life_seconds=1000,
    user_stamp=user(realm="/fred").stamp,
)
OWNER = user(realm="/fred")


async def test_standing_session_gives_its_principal_and_counts_as_access() -> None:
    """The principal is the session's, bounded by its life, and the session is touched."""
    sessions = Sessions(replace(SESSION, last_access_at=NOW - TOUCH_SECONDS, max_idle_seconds=600))
    validator = SessionValidator(sessions, Users(OWNER))
    credential = validator.parse(received(OPENAM, session_id=ID))
    found = await validator.validate(credential, instance(), NOW + 0.5)
    assert (found.name, found.realm, found.method) == ("demo", "/fred", OPENAM)
    assert found.attributes == OWNER.attributes
    assert found.not_after == SESSION.life_expires_at
    assert found.authenticated_at == SESSION.created_at
    assert found.session_id == Secret(ID)
    assert sessions.touched == [(Secret(ID), NOW)]


async def test_session_of_the_last_minute_is_not_written_again() -> None:
    """The store is told of a use only if the last one that it knows of is a minute old."""
    recently = replace(SESSION, last_access_at=NOW - TOUCH_SECONDS + 1, max_idle_seconds=600)
    sessions = Sessions(recently)
    validator = SessionValidator(sessions, Users(OWNER))
    credential = validator.parse(received(OPENAM, session_id=ID))
    await validator.validate(credential, instance(), NOW)
    assert sessions.touched == []


@pytest.mark.parametrize(
    ("sessions", "now"),
    [(Sessions(), NOW), (Sessions(SESSION), NOW + 50), (Sessions(SESSION), NOW + 900)],
    ids=["unknown", "idle", "over"],
)
async def test_session_that_does_not_stand_is_refused(sessions: Sessions, now: int) -> None:
    """An unknown, idle or outlived session proves nothing, is not touched and is not shown."""
    validator = SessionValidator(sessions, Users(OWNER))
    credential = validator.parse(received(OPENAM, session_id=ID))
    with pytest.raises(SessionInvalid) as refusal:
        await validator.validate(credential, instance(), now)
    assert sessions.touched == []
    assert ID not in refusal.value.sentence


async def test_ended_session_is_refused() -> None:
    """A logout ends the session for good."""
    sessions = Sessions(SESSION)
    validator = SessionValidator(sessions, Users(OWNER))
    await sessions.end(Secret(ID))
    with pytest.raises(SessionInvalid):
        await validator.validate(Secret(ID), instance(), NOW)


@pytest.mark.parametrize(
    "users",
    [
        Users(),
        Users(user(realm="/fred", active=False)),
        Users(user(realm="/fred", password_hash=Secret("$argon2id$other"))),
    ],
    ids=["gone", "inactive", "another"],
)
async def test_session_of_nobody_is_refused(users: Users) -> None:
    """A session whose user was removed, made inactive or given a new password proves nothing."""
    validator = SessionValidator(Sessions(SESSION), users)
    with pytest.raises(SessionInvalid):
        await validator.validate(Secret(ID), instance(), NOW)


@pytest.mark.parametrize("value", [None, "", 1, {}, ID * MAX_SESSION_ID_LENGTH])
def test_session_id_must_be_a_string(value: object) -> None:
    """What cannot be a session id is refused by name, and not shown."""
    with pytest.raises(InvalidRequest, match="session_id") as refusal:
        SessionValidator(Sessions(), Users()).parse(received(OPENAM, session_id=value))
    assert ID not in refusal.value.sentence

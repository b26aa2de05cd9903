"""`Idempotency-Key`: a request that is sent again gets the answer that it got before."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from broker.idempotency import MAX_REQUEST_ID_LENGTH
from broker.model import OPENIDCONNECT
from tests.support import door as doors
from tests.support.door import (
    ASSERTION,
    ELEMENT,
    ID_TOKEN,
    Answer,
    Door,
    FrozenClock,
    an_instance,
    session_input,
    user_input,
)
from tests.support.planted import MARK, Planted


async def _ask(
    door: Door, key: str, given: Any = None, wanted: Any = ID_TOKEN, instance: str = ELEMENT
) -> Answer:
    given = user_input() if given is None else given
    return await door.translate(given, wanted, instance=instance, headers={"Idempotency-Key": key})


@pytest.mark.parametrize("wanted", [ID_TOKEN, ASSERTION])
async def test_same_request_again(door: Door, wanted: dict[str, Any]) -> None:
    """The same request under the same key gets the same answer, byte for byte, and no new token."""
    first = await _ask(door, "k", wanted=wanted)
    again = await _ask(door, "k", wanted=wanted)
    assert (first.status, again.status) == (200, 200)
    assert again.text == first.text
    assert len(await door.tokens()) == 1
    lines = door.audit()
    assert [line.get("replayed") for line in lines] == [None, True]
    assert lines[0]["token_id"] == lines[1]["token_id"]


async def test_order_of_members_does_not_matter(door: Door) -> None:
    """A request is the same however its members are ordered and its key is quoted."""
    first = await _ask(door, "k")
    reordered = dict(reversed(user_input().items()))
    again = await _ask(door, '"k"', reordered, dict(reversed(ID_TOKEN.items())))
    assert again.text == first.text


async def test_without_a_key(door: Door) -> None:
    """Without a key each request gets a token of its own."""
    answers = [await door.translate(user_input(), ID_TOKEN) for _ in range(2)]
    assert answers[0].text != answers[1].text
    assert len(await door.tokens()) == 2


@pytest.mark.parametrize(
    ("wanted", "instance"),
    [(ASSERTION, ELEMENT), ({**ID_TOKEN, "nonce": "n-2"}, ELEMENT), (ID_TOKEN, "other")],
)
async def test_another_request(door: Door, wanted: dict[str, Any], instance: str) -> None:
    """Another output, nonce or instance under a key that was used is a 409, and issues nothing."""
    await door.publish(an_instance("other"))
    first = await _ask(door, "k")
    answer = await _ask(door, "k", wanted=wanted, instance=instance)
    assert (answer.status, answer.body["reason"]) == (409, "Conflict")
    assert len(await door.tokens()) == 1
    assert (await _ask(door, "k")).text == first.text


async def test_twenty_at_once(door: Door) -> None:
    """Twenty requests at once under one key get one token."""
    answers = await asyncio.gather(*(_ask(door, "k") for _ in range(20)))
    assert {answer.status for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    assert len(await door.tokens()) == 1
    assert sorted(line.get("replayed", False) for line in door.audit()) == [False] + [True] * 19


async def test_stranger_who_proved_nothing_is_not_remembered(door: Door) -> None:
    """A 401 takes up no room in the ledger and leaves the key free: anybody could send those."""
    given = user_input(name="late")
    for number in range(5):
        assert (await _ask(door, f"k-{number}", given)).status == 401
    year = 366 * 24 * 3600
    assert await door.broker.stores.ledger.reap(time.time() + year) == 0
    await door.add_user("late")
    assert (await _ask(door, "k-0", given)).status == 200


async def test_refusal_of_a_proven_subject_is_replayed(door: Door) -> None:
    """A refusal after validation is an answer too, and the key keeps it."""
    foreign = session_input(await door.login(realm="/fred/bobo"))
    first = await _ask(door, "k", foreign)
    assert first.status == 403
    again = await _ask(door, "k", foreign)
    assert (again.status, again.text) == (403, first.text)
    assert door.audit()[-1]["replayed"] is True


async def test_mistake_is_not_kept(door: Door) -> None:
    """A request that could not be understood leaves its key free for the corrected one."""
    assert (await _ask(door, "k", wanted={"token_type": OPENIDCONNECT})).status == 400
    assert (await _ask(door, "k", given={"token_type": "RIDDLE"})).status == 400
    assert (await _ask(door, "k")).status == 200


async def test_keys_of_others(door: Door) -> None:
    """A key means nothing outside its user: another's is independent, and tells nothing."""
    await door.add_user("ann")
    session = await door.login()
    first = await _ask(door, "k")
    others = [
        await _ask(door, "k", user_input(name="ann")),
        await _ask(door, "k", session_input(session)),
        await _ask(door, "k", session_input(await door.login())),
    ]
    assert [answer.status for answer in others] == [200] * 3
    assert len({answer.text for answer in (first, *others)}) == 4
    guess = await _ask(door, "k", user_input(f"wrong-{MARK}"))
    assert guess.status == 401
    assert len(await door.tokens()) == 4


async def test_replay_of_a_cancelled_token(door: Door) -> None:
    """The answer stays the same after its token was cancelled, and the token stays invalid."""
    first = await _ask(door, "k")
    state = {"token_type": OPENIDCONNECT, "oidc_id_token": first.body["issued_token"]}
    await door.cancel(state)
    assert (await _ask(door, "k")).text == first.text
    assert (await door.validate(state)).body == {"token_valid": False}


async def test_instance_that_keeps_nothing(door: Door) -> None:
    """An instance without records gives the same answer again all the same."""
    await door.publish(an_instance("forgetful", persist=False))
    first = await _ask(door, "k", instance="forgetful")
    assert (await _ask(door, "k", instance="forgetful")).text == first.text
    assert await door.tokens() == []


@pytest.mark.parametrize("key", ["x" * (MAX_REQUEST_ID_LENGTH + 1), "", '""', " ", "a\tb"])
async def test_unusable_key(door: Door, key: str) -> None:
    """A key that is too long, empty or not printable is a 400."""
    answer = await _ask(door, key)
    assert (answer.status, answer.body["reason"]) == (400, "Bad Request")
    assert await door.tokens() == []


@pytest.mark.parametrize("key", ["x" * MAX_REQUEST_ID_LENGTH, "a b", "schlüssel", "7", "'"])
async def test_usable_key(door: Door, key: str) -> None:
    """Any printable key up to the limit will do."""
    first = await _ask(door, key)
    assert first.status == 200
    assert (await _ask(door, key)).text == first.text


async def test_answer_is_gone(tmp_path: Path, planted: Planted, said: list[str]) -> None:
    """Once its answer is no longer kept a request is a 410, and never a second token."""
    clock = FrozenClock()
    answers = {"ttl": 60}
    async with doors.opened(tmp_path / "state", planted, clock=clock, answers=answers) as door:
        first = await _ask(door, "k")
        clock.advance(59)
        assert (await _ask(door, "k")).text == first.text
        clock.advance(2)
        answer = await _ask(door, "k")
        assert (answer.status, answer.body["reason"]) == (410, "Gone")
        assert len(await door.tokens()) == 1
        said.extend(door.refusals)


async def test_restart(tmp_path: Path, planted: Planted, said: list[str]) -> None:
    """Another broker on the same state gives the same answer again."""
    answers = []
    for _ in range(2):
        async with doors.opened(tmp_path / "state", planted) as door:
            answers.append(await _ask(door, "k"))
    assert answers[0].status == 200
    assert answers[0].text == answers[1].text


async def test_validate_and_cancel_take_no_key(door: Door) -> None:
    """Validate and cancel are safe to repeat by themselves: a key on them changes nothing."""
    answer = await door.translate(user_input(), ID_TOKEN)
    state = {"token_type": OPENIDCONNECT, "oidc_id_token": answer.body["issued_token"]}
    head = {"Idempotency-Key": "k"}
    valid = []
    for action, member in (
        ("validate", "validated_token_state"),
        ("cancel", "cancelled_token_state"),
        ("validate", "validated_token_state"),
    ):
        path = f"/rest-sts/{ELEMENT}?_action={action}"
        valid.append((await door.request("POST", path, body={member: state}, headers=head)).body)
    assert [body.get("token_valid") for body in valid] == [True, None, False]


async def test_quota_of_a_stranger(tmp_path: Path, planted: Planted, said: list[str]) -> None:
    """One token may send so many new keys in an hour. Beyond that a 429 says when to come back and
    stores nothing, while known keys and requests without one are answered."""
    clock = FrozenClock()
    answers = {"requests_per_hour_of_strangers": 2}
    async with doors.opened(tmp_path / "state", planted, clock=clock, answers=answers) as door:
        first = await _ask(door, "k-1")
        assert (await _ask(door, "k-2")).status == 200
        for _ in range(2):
            over = await _ask(door, "k-3")
            assert (over.status, over.body["reason"]) == (429, "Too Many Requests")
            assert 0 < int(over.headers["Retry-After"]) <= 3600
        assert (await _ask(door, "k-1")).text == first.text
        assert (await door.translate(user_input(), ID_TOKEN)).status == 200
        assert (await _ask(door, "k-3", session_input(await door.login()))).status == 200
        assert len(await door.tokens()) == 4
        clock.advance(int(over.headers["Retry-After"]))
        assert (await _ask(door, "k-3")).status == 200
        said.extend(door.refusals)


async def test_token_ids_come_from_requests(
    tmp_path: Path, planted: Planted, said: list[str]
) -> None:
    """If the store forgets a request that was answered, the same request gets the same ``jti``."""
    ids = []
    for store in ("one", "two"):
        state = tmp_path / store
        if ids:
            state.mkdir()
            shutil.copy(tmp_path / "one" / "root-secret", state)
            shutil.copy(tmp_path / "one" / "remint.db", state)
            with sqlite3.connect(state / "remint.db") as lost:
                lost.execute("DELETE FROM requests")
                lost.execute("DELETE FROM tokens")
            lost.close()
        async with doors.opened(state, planted) as door:
            await _ask(door, "k")
            ids += [record.token_id for record in await door.tokens()]
            said.extend(door.refusals)
    assert len(ids) == 2
    assert ids[0] == ids[1]

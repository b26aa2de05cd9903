"""The authId of a login under way: used again, changed, late, elsewhere, answered by nonsense."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from adapters.authentication.steps import LIFE_SECONDS, MAX_LENGTH
from tests.authentication.authenticate.asking import (
    CHOSEN,
    CODE,
    TOLD,
    TWO,
    answered,
    begin,
    credentials,
)
from tests.support.door import REALM, Door, FrozenClock
from tests.support.planted import MARK


@pytest.mark.parametrize("first", [CODE, f"wrong-{MARK}"], ids=["right", "wrong"])
@pytest.mark.parametrize("query", [CHOSEN, TWO], ids=["alone", "second factor"])
async def test_a_step_is_answered_once(query: str, first: str, front: Door) -> None:
    """One password is worth one guess at a code, and one code one session: an authId that was
    answered is of no use again, whether the answer was right or wrong."""
    step = await begin(front, query, **credentials())
    assert (await answered(front, step, first)).status == (200 if first == CODE else 401)
    again = await answered(front, step, CODE)
    assert (again.status, again.body) == (401, TOLD)
    fresh = await begin(front, query, **credentials())
    assert (await answered(front, fresh, CODE)).status == 200


async def test_changed_steps(front: Door) -> None:
    """An authId that was changed, cut, made up or is too long is a 401."""
    step = await begin(front, CHOSEN, **credentials("zed", "x"))
    good = step.body["authId"]
    flipped = good[:40] + ("A" if good[40] != "A" else "B") + good[41:]
    for bad in (flipped, good[:-4], good + "AAAA", "", "é", "not base64", "A" * (MAX_LENGTH + 1)):
        step.body["authId"] = bad
        answer = await answered(front, step, CODE)
        assert (answer.status, answer.body) == (401, TOLD), bad[:20]
    step.body["authId"] = good
    assert (await answered(front, step, CODE)).status == 200


async def test_steps_end(front: Door, clock: FrozenClock) -> None:
    """After five minutes a step is a 401."""
    step = await begin(front, CHOSEN, **credentials("zed", "x"))
    clock.advance(LIFE_SECONDS - 1)
    assert (await answered(front, step, CODE)).status == 200
    step = await begin(front, CHOSEN, **credentials("zed", "x"))
    clock.advance(LIFE_SECONDS)
    assert (await answered(front, step, CODE)).status == 401


async def test_steps_of_another_target_or_realm(front: Door) -> None:
    """A step counts in its own realm, for its own chain alone."""
    step = await begin(front, CHOSEN, **credentials("zed", "x"))
    other = "?authIndexType=service&authIndexValue=closed"
    assert (await answered(front, step, CODE, query=other)).status == 401
    assert (await answered(front, step, CODE, realm=REALM)).status == 401
    assert (await answered(front, step, CODE, query=CHOSEN)).status == 200


async def test_a_chain_that_changed(front: Door) -> None:
    """What modules said before counts for nothing once the chain is another."""
    step = await begin(front, CHOSEN, **credentials("zed", "x"))
    links = [{"module": "asks", "flag": "required"}, {"module": "off", "flag": "optional"}]
    path = "/json/authentication/chains/plain"
    admin = await front.admin()
    assert (await front.request("PUT", path, body={"modules": links}, headers=admin)).status == 200
    assert (await answered(front, step, CODE)).status == 401


@pytest.mark.parametrize(
    "callbacks",
    [None, [], "x", [{}], [1], [{"input": [1]}], [{"input": [{"name": "IDToken1"}]}], [{}] * 17,
     [{"input": [{"name": "IDToken1", "value": "x" * 5000}]}]],
)  # fmt: skip
async def test_broken_answers(callbacks: Any, front: Door) -> None:
    """Callbacks that are not filled in are a 400 that says what to do, and cost nothing."""
    step = await begin(front, CHOSEN, **credentials("zed", "x"))
    body = {"authId": step.body["authId"], "callbacks": callbacks}
    answer = await front.request("POST", "/json/authenticate", body=body)
    assert answer.status == 400
    assert "callbacks" in answer.body["message"]
    assert (await answered(front, step, CODE)).status == 200


async def test_a_name_that_is_no_unicode(front: Door) -> None:
    """Half a character in a name, which JSON can write, is refused and breaks nothing."""
    step = await begin(front, TWO)
    for name in (rb"\ud800", rb"a\u0000b"):
        given = b'{"name":"IDToken1","value":"%b"},{"name":"IDToken2","value":"x"}' % name
        callbacks = b'[{"input":[%b]}]' % given
        body = b'{"authId":"%b","callbacks":%b}' % (step.body["authId"].encode(), callbacks)
        answer = await front.request("POST", "/json/authenticate", data=body)
        assert answer.status in (400, 401), answer.text


async def test_an_auth_id_that_is_no_text(front: Door) -> None:
    """It is a 400."""
    answer = await front.request("POST", "/json/authenticate", body={"authId": 1})
    assert answer.status == 400


async def test_a_step_holds_nothing_to_read(front: Door) -> None:
    """The client keeps a step without learning what it says."""
    step = await begin(front, CHOSEN, **credentials("some-name", "x"))
    plain = base64.urlsafe_b64decode(step.body["authId"])
    assert b"some-name" not in plain
    assert b"plain" not in plain


async def test_who_was_locked_out_meanwhile(front: Door) -> None:
    """A local user who is made inactive between two steps gets no session."""
    await front.add_user("ann")
    for active, status in ((True, 200), (False, 401)):
        step = await begin(front, TWO, **credentials("ann"))
        assert step.body["stage"] == "asks2"
        await front.add_user("ann", active=active)
        assert (await answered(front, step, CODE)).status == status

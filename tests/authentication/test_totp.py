"""Codes of authenticator apps as a second factor, through the front door."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.authentication.totp_asking import STEP, WORD, administer, ask, enrolled, opened, reason
from tests.http import judges
from tests.support.authentication import targeted
from tests.support.door import (
    ASSERTION,
    ID_TOKEN,
    REALM,
    Door,
    FrozenClock,
    an_instance,
    session_input,
)
from tests.support.planted import USER_PASSWORD, Planted
from tests.support.redis_rules import documented_rules
from tests.support.redis_server import RedisServer, running_redis


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(1_800_000_015.0)


@pytest.fixture
async def front(
    clock: FrozenClock, tmp_path: Path, planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Door]:
    async with opened(tmp_path, planted, monkeypatch, clock) as door:
        yield door


# -- translating ---------------------------------------------------------------------------------


async def test_password_and_code_in_one_round_trip(front: Door, clock: FrozenClock) -> None:
    """A name, a password and a code become an ID token whose amr says both, and an assertion."""
    app = await enrolled(front, clock)
    told = await ask(front, app.code(clock.at))
    claims = (await judges.id_token(front, told.body["issued_token"], "RS256")).claims
    assert (claims["sub"], claims["amr"]) == ("demo", ["pwd", "otp"])
    clock.advance(STEP)
    assertion = await ask(front, app.code(clock.at), ASSERTION)
    assert "demo@example.com" in assertion.body["issued_token"]
    assert front.audit()[-1]["vouched_by"] == "DataStore: passed; codes: passed"


async def test_both_factors_are_needed(front: Door, clock: FrozenClock) -> None:
    """A wrong password with the right code, a wrong code, an empty one and none at all are refused
    in the same words; only the audit has which it was. None of them uses the code up."""
    app = await enrolled(front, clock)
    right = app.code(clock.at)
    wrong = f"{(int(right) + 1) % 1_000_000:06}"
    refusals = {
        (right, "wrong"): "DataStore: wrong password; codes: a second factor needs a first",
        (wrong, USER_PASSWORD): "DataStore: passed; codes: wrong code",
        ("", USER_PASSWORD): "DataStore: passed; codes: ",
        ("१२३४५६", USER_PASSWORD): "DataStore: passed; codes: wrong code",
        ("1" * 128, USER_PASSWORD): "DataStore: passed; codes: wrong code",
        (None, USER_PASSWORD): "DataStore: passed; codes: no code came",
    }
    for (code, password), why in refusals.items():
        answer = await ask(front, code, password=password)
        assert (answer.status, answer.body["message"]) == (401, "Authentication Failed")
        assert why in reason(front)
        assert right not in str(front.audit())
    assert (await ask(front, f" {right[:3]} {right[3:]}")).status == 200


async def test_guesses_are_slow(front: Door, clock: FrozenClock) -> None:
    """Who has the password guesses a few codes; then the right one has to wait as well, and is not
    used up by it."""
    app = await enrolled(front, clock)
    wrong = f"{(int(app.code(clock.at)) + 1) % 1_000_000:06}"
    answers = [await ask(front, wrong) for _ in range(12)]
    assert [answer.status for answer in answers] == sorted(answer.status for answer in answers)
    held_up = await ask(front, app.code(clock.at))
    assert (answers[0].status, answers[-1].status, held_up.status) == (401, 429, 429)
    clock.advance(int(held_up.headers["Retry-After"]))
    assert (await ask(front, app.code(clock.at))).status == 200


async def test_code_alone_is_nobody(front: Door, clock: FrozenClock) -> None:
    """A module of codes that stands alone lets nobody in, with the right code either."""
    app = await enrolled(front, clock)
    answer = await ask(front, app.code(clock.at), instance="alone")
    assert (answer.status, answer.body["message"]) == (401, "Authentication Failed")


async def test_code_beside_a_session(front: Door, clock: FrozenClock) -> None:
    """A chain can want more than a session, which has no code: its token is refused."""
    await enrolled(front, clock)
    await front.publish(targeted(an_instance("session"), OPENAM="service|session"))
    given = session_input(await front.login())
    assert (await front.translate(given, ID_TOKEN, instance="session")).status == 401
    assert reason(front) == "own: passed; codes: no code came"


# -- once ----------------------------------------------------------------------------------------


async def test_used_code_is_refused(front: Door, clock: FrozenClock) -> None:
    """A code counts once: shown again it is a 401, for another output and another instance too."""
    app = await enrolled(front, clock)
    assert (await ask(front, app.code(clock.at))).status == 200
    for wanted, instance in ((ID_TOKEN, "two"), (ASSERTION, "two"), (ID_TOKEN, "perhaps")):
        again = await ask(front, app.code(clock.at), wanted, instance)
        assert (again.status, again.body["message"]) == (401, "Authentication Failed")
        assert "used before" in reason(front)
    assert len(await front.tokens()) == 1


async def test_code_of_an_earlier_step_is_refused(front: Door, clock: FrozenClock) -> None:
    """Once a code was used, an earlier one that is still within the window is not."""
    app = await enrolled(front, clock)
    clock.advance(STEP)
    assert (await ask(front, app.code(clock.at))).status == 200
    assert (await ask(front, app.code(clock.at - STEP))).status == 401
    assert "a later code was used before" in reason(front)
    assert (await ask(front, app.code(clock.at + STEP))).status == 200


async def test_code_that_confirmed_is_used(front: Door, clock: FrozenClock) -> None:
    """The code that confirmed an enrolment lets nobody in."""
    app = await enrolled(front, clock)
    assert (await ask(front, app.code(clock.at - STEP))).status == 401


async def test_used_code_stays_used_to_the_end(front: Door, clock: FrozenClock) -> None:
    """However short its token lives, a used code is refused as long as its step counts."""
    app = await enrolled(front, clock)
    used = app.code(clock.at + STEP)  # the next step's, as of a phone that is fast
    assert (await ask(front, used)).status == 200
    for _ in range(5):
        clock.advance(STEP / 2)
        await front.broker.stores.replays.reap(clock.at)
        assert (await ask(front, used)).status == 401


async def test_same_request_again_has_the_same_answer(front: Door, clock: FrozenClock) -> None:
    """A retry with its idempotency key gets the token that it got before; another request with the
    code does not."""
    app = await enrolled(front, clock)
    used = app.code(clock.at)
    first = await ask(front, used, headers={"Idempotency-Key": "one"})
    again = await ask(front, used, headers={"Idempotency-Key": "one"})
    assert first.status == again.status == 200
    assert first.body["issued_token"] == again.body["issued_token"]
    other = await ask(front, used, headers={"Idempotency-Key": "other"})
    assert other.status == 401
    assert len(await front.tokens()) == 1


async def test_twenty_requests_at_once_get_one_token(front: Door, clock: FrozenClock) -> None:
    """Of twenty concurrent requests with one code exactly one is answered with a token."""
    app = await enrolled(front, clock)
    answers = await asyncio.gather(*(ask(front, app.code(clock.at)) for _ in range(20)))
    assert sorted(answer.status for answer in answers) == [200] + [401] * 19
    assert len(await front.tokens()) == 1


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with running_redis(documented_rules()) as running:
        running.empty()
        yield running


@pytest.mark.server
@pytest.mark.xdist_group("redis")
async def test_brokers_share_what_was_used(
    redis: RedisServer,
    clock: FrozenClock,
    tmp_path: Path,
    planted: Planted,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of twenty requests at two brokers of one Redis with one code, one gets a token; an
    earlier code is then refused by both."""
    folders = [tmp_path / name for name in ("one", "two")]
    async with contextlib.AsyncExitStack() as stack:
        brokers: list[Door] = []
        for folder in folders:
            folder.mkdir()
            (folder / "state").mkdir(mode=0o700)
            if brokers:
                secret = (folders[0] / "state" / "root-secret").read_bytes()
                (folder / "state" / "root-secret").write_bytes(secret)
                (folder / "state" / "root-secret").chmod(0o600)
            store = {"url": redis.url}
            door = opened(folder, planted, monkeypatch, clock, store=store)
            brokers.append(await stack.enter_async_context(door))
        app = await enrolled(brokers[0], clock)
        clock.advance(STEP)
        code = app.code(clock.at)
        answers = await asyncio.gather(*(ask(brokers[n % 2], code) for n in range(20)))
        assert sorted(answer.status for answer in answers) == [200] + [401] * 19
        assert len(await brokers[0].tokens()) == 1
        for broker in brokers:
            assert (await ask(broker, app.code(clock.at - STEP))).status == 401


# -- windows and accounts ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("instance", "drift", "status"),
    [
        ("two", -2, 401),
        ("two", -1, 200),
        ("two", 0, 200),
        ("two", 1, 200),
        ("two", 2, 401),
        ("exactly", -1, 401),
        ("exactly", 0, 200),
        ("exactly", 1, 401),
    ],
)
async def test_window(
    front: Door, clock: FrozenClock, instance: str, drift: int, status: int
) -> None:
    """A code counts one step early and one late, and with a window of 0 in its own alone."""
    app = await enrolled(front, clock)
    clock.advance(5 * STEP)
    assert (await ask(front, app.code(clock.at + drift * STEP), instance=instance)).status == status


@pytest.mark.parametrize(
    "manner",
    [
        {"algorithm": "SHA256", "digits": 8, "period": 60},
        {"algorithm": "SHA512", "digits": 7, "period": 15},
    ],
    ids=str,
)
async def test_other_manners(front: Door, clock: FrozenClock, manner: dict[str, Any]) -> None:
    """Other algorithms, lengths and periods work, and the app is told of them."""
    app = await enrolled(front, clock, body={**manner, "issuer": "ACME & Söhne"})
    assert (app.algorithm, app.digits, app.period) == tuple(manner.values())
    assert (app.label, app.issuer) == ("ACME & Söhne:demo", "ACME & Söhne")
    assert (await ask(front, app.code(clock.at))).status == 200


async def test_who_has_no_authenticator(front: Door, clock: FrozenClock) -> None:
    """Where everyone needs one, who has none is refused; where only the enrolled do, they pass,
    and the audit has that no code was asked for. Nobody else's code helps."""
    app = await enrolled(front, clock)
    await front.add_user("ann")
    assert (await ask(front, app.code(clock.at), name="ann")).status == 401
    assert "no authenticator is enrolled" in reason(front)
    told = await ask(front, None, instance="perhaps", name="ann")
    claims = (await judges.id_token(front, told.body["issued_token"], "RS256")).claims
    assert claims["amr"] == ["pwd"]
    assert "ifEnrolled: passed (no authenticator is enrolled" in front.audit()[-1]["vouched_by"]
    assert (await ask(front, None, instance="perhaps")).status == 401
    assert (await ask(front, app.code(clock.at), instance="perhaps")).status == 200


async def test_accounts_are_told_apart(front: Door, clock: FrozenClock) -> None:
    """A directory's demo and the local one, and those of two realms, have authenticators of their
    own."""
    app = await enrolled(front, clock)
    given = {"name": "demo", "password": WORD, "instance": "foreign"}
    assert (await ask(front, app.code(clock.at), **given)).status == 401
    theirs = await enrolled(front, clock, "demo/totp?module=corp")
    assert (await ask(front, app.code(clock.at), **given)).status == 401
    assert (await ask(front, theirs.code(clock.at), **given)).status == 200
    assert (await front.tokens())[0].principal == "auth://corp#demo"
    assert (await ask(front, app.code(clock.at))).status == 200
    nowhere = await administer(front, "GET", "demo/totp", realm=REALM)
    assert nowhere.status == 404

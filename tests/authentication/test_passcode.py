"""Passcodes that administrators give out, through the front door."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.http import judges
from tests.support import door as doors
from tests.support.authentication import authentication_file, targeted
from tests.support.door import (
    ASSERTION,
    HEADER,
    ID_TOKEN,
    Answer,
    Door,
    FrozenClock,
    an_instance,
    user_input,
)
from tests.support.planted import USER_PASSWORD, Planted
from tests.support.totp import App
from tests.support.word_module import install_word

HOUR = 3600
WORD = "Passw0rd-of-the-directory"
FAILED = "Authentication Failed"

CONFIGURATION = f"""
[[module]]
name = "codes"
kind = "passcode"

[[module]]
name = "instead"
kind = "passcode"
use = "password"

[[module]]
name = "app"
kind = "totp"

[[module]]
name = "corp"
kind = "word"
word = "{WORD}"

[[chain]]
name = "two"
modules = [{{ module = "DataStore", flag = "required" }}, {{ module = "codes", flag = "required" }}]

[[chain]]
name = "foreign"
modules = [{{ module = "corp", flag = "required" }}, {{ module = "codes", flag = "required" }}]

[[chain]]
name = "lostPhone"
modules = [
    {{ module = "DataStore", flag = "requisite" }},
    {{ module = "app", flag = "sufficient" }},
    {{ module = "codes", flag = "required" }},
]
"""


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
async def front(
    clock: FrozenClock, tmp_path: Path, planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Door]:
    """A broker with an instance for each chain, whose clock the test moves."""
    install_word(tmp_path, monkeypatch)
    settings = authentication_file(tmp_path, CONFIGURATION)
    async with doors.opened(tmp_path / "state", planted, clock=clock, **settings) as opened:
        for name in ("two", "foreign", "lostPhone"):
            await opened.publish(targeted(an_instance(name), USERNAME=f"service|{name}"))
        for name in ("codes", "instead"):
            await opened.publish(targeted(an_instance(name), USERNAME=f"module|{name}"))
        yield opened


async def administer(door: Door, method: str, path: str, body: Any = None, **head: str) -> Answer:
    headers = head or await door.admin()
    return await door.request(method, f"/json/users/{path}", body=body, headers=headers)


async def given_out(door: Door, name: str = "demo", hours: float = 1.0, query: str = "") -> str:
    body = {"lifetime": int(hours * HOUR)}
    path = f"{name}/passcodes?_action=create{query}"
    answer = await administer(door, "POST", path, body)
    assert answer.status == 201, answer.text
    door.planted.note(answer.body["passcode"])
    assert answer.body["passcode"].startswith(answer.body["_id"])
    return str(answer.body["passcode"])


async def ask(
    door: Door, code: str | None, wanted: Any = ID_TOKEN, instance: str = "two", **given: Any
) -> Answer:
    headers = given.pop("headers", None)
    state = {**user_input(**given), **({} if code is None else {"otp": code})}
    return await door.translate(state, wanted, instance=instance, headers=headers)


async def states(door: Door) -> list[str]:
    answer = await administer(door, "GET", "demo/passcodes")
    return [row["state"] for row in answer.body["result"]]


# -- as a second factor --------------------------------------------------------------------------


@pytest.mark.parametrize("wanted", [ID_TOKEN, ASSERTION], ids=["id-token", "assertion"])
async def test_counts_once(front: Door, wanted: Any) -> None:
    """A passcode beside the password gives one token, and never a second."""
    code = await given_out(front)
    assert (await ask(front, code, wanted)).status == 200
    again = await ask(front, code, wanted)
    assert again.status == 401
    assert await states(front) == ["used"]
    assert len(await front.tokens()) == 1


async def test_token_says_both(front: Door) -> None:
    """The ID token's amr has the password and the code, and it lives as long as any other."""
    code = await given_out(front, hours=0.1)
    told = await ask(front, code)
    claims = (await judges.id_token(front, told.body["issued_token"], "RS256")).claims
    plain = await front.translate(user_input(), ID_TOKEN)
    usual = (await judges.id_token(front, plain.body["issued_token"], "RS256")).claims
    assert claims["amr"] == ["pwd", "otp"]
    assert claims["exp"] - claims["iat"] == usual["exp"] - usual["iat"]


@pytest.mark.parametrize(
    "typed",
    [str.lower, lambda code: code.replace("-", ""), lambda code: f" {code} ".replace("-", " ")],
)
async def test_as_people_type_it(front: Door, typed: Any) -> None:
    """Letter case, hyphens and blanks do not matter, nor the letters that look like digits."""
    code = await given_out(front)
    misread = typed(code).replace("0", "O").replace("1", "l")
    assert (await ask(front, misread)).status == 200


async def test_refusals(front: Door) -> None:
    """A wrong password, a wrong or a foreign code, and none at all are refused in the same words,
    and do not use the code up."""
    code = await given_out(front)
    await front.add_user("ann")
    wrong = code[:-1] + ("0" if code[-1] != "0" else "1")
    for given in (
        {"code": code, "password": "wrong"},
        {"code": code, "name": "ann"},
        {"code": wrong},
        {"code": code[:4]},
        {"code": ""},
        {"code": "\u212a" * 16},
        {"code": None},
        {"code": code, "instance": "codes"},
    ):
        answer = await ask(front, **given)
        assert (answer.status, answer.body["message"]) == (401, FAILED)
    assert await states(front) == ["open"]
    assert (await ask(front, code)).status == 200


async def test_expires(front: Door, clock: FrozenClock) -> None:
    """A passcode ends with its lifetime, and the reaper removes it then."""
    code = await given_out(front, hours=2)
    later = await given_out(front, hours=3)
    clock.advance(2 * HOUR)
    assert (await ask(front, code)).status == 401
    assert "expired" in front.audit()[-1]["reason"]
    assert await states(front) in (["expired", "open"], ["open", "expired"])
    assert await front.broker.stores.factors.reap(clock.at) == 1
    assert await states(front) == ["open"]
    assert (await ask(front, later)).status == 200


async def test_used_one_stays_used(front: Door, clock: FrozenClock) -> None:
    """It is remembered as used until it would have ended, however short its token lived."""
    code = await given_out(front, hours=24)
    assert (await ask(front, code)).status == 200
    for _ in range(23):
        clock.advance(HOUR)
        await front.broker.stores.replays.reap(clock.at)
        assert (await ask(front, code)).status == 401


async def test_same_request_again(front: Door) -> None:
    """A retry with its idempotency key gets its token again; another request gets none."""
    code = await given_out(front)
    first = await ask(front, code, headers={"Idempotency-Key": "one"})
    again = await ask(front, code, headers={"Idempotency-Key": "one"})
    assert first.status == again.status == 200
    assert first.body["issued_token"] == again.body["issued_token"]
    assert (await ask(front, code, headers={"Idempotency-Key": "two"})).status == 401


async def test_twenty_requests_at_once(front: Door) -> None:
    """Of twenty concurrent requests with one passcode exactly one gets a token."""
    code = await given_out(front)
    answers = await asyncio.gather(*(ask(front, code) for _ in range(20)))
    assert sorted(answer.status for answer in answers) == [200] + [401] * 19
    assert len(await front.tokens()) == 1


async def test_account_of_a_directory(front: Door) -> None:
    """A directory's demo is not the local one, and has passcodes of its own."""
    local, theirs = await given_out(front), await given_out(front, query="&module=corp")
    given = {"instance": "foreign", "password": WORD}
    assert (await ask(front, local, **given)).status == 401
    assert (await ask(front, theirs, **given)).status == 200
    assert (await front.tokens())[0].principal == "auth://corp#demo"
    assert (await ask(front, local)).status == 200


async def test_for_who_lost_the_phone(front: Door, clock: FrozenClock) -> None:
    """In a chain the passcode stands in for the authenticator, and both do not have to come."""
    path = "demo/totp?_action="
    app = App((await administer(front, "POST", f"{path}enrol", {})).body["uri"])
    await administer(front, "POST", f"{path}confirm", {"code": app.code(clock.at)})
    clock.advance(30)
    code = await given_out(front)
    assert (await ask(front, app.code(clock.at), instance="lostPhone")).status == 200
    assert (await ask(front, code, instance="lostPhone")).status == 200
    assert (await ask(front, code, instance="lostPhone")).status == 401


# -- in the place of the password ----------------------------------------------------------------


async def test_instead_of_the_password(front: Door) -> None:
    """The passcode is the password, once, and the user's own password is not."""
    code = await given_out(front)
    assert (await ask(front, None, instance="instead")).status == 401
    told = await ask(front, None, instance="instead", password=code)
    claims = (await judges.id_token(front, told.body["issued_token"], "RS256")).claims
    assert (claims["sub"], claims["email"], claims["amr"]) == ("demo", "demo@example.com", ["otp"])
    assert (await ask(front, None, instance="instead", password=code)).status == 401


async def test_instead_for_who_may_log_in(front: Door) -> None:
    """Who is not active gets in by no passcode, and one that is nobody's is refused alike."""
    await front.add_user("ann")
    code = await given_out(front, "ann")
    await administer(front, "PUT", "ann", {"active": False})
    for name in ("ann", "nobody", "demo"):
        answer = await ask(front, None, instance="instead", name=name, password=code)
        assert (answer.status, answer.body["message"]) == (401, FAILED)


# -- administering -------------------------------------------------------------------------------


async def test_listed_and_withdrawn(front: Door) -> None:
    """A list names each without its code; one that was withdrawn lets nobody in."""
    code, other = await given_out(front), await given_out(front)
    rows = await administer(front, "GET", "demo/passcodes")
    assert sorted(row["_id"] for row in rows.body["result"]) == sorted([code[:4], other[:4]])
    assert code[4:9] not in rows.text
    gone = f"demo/passcodes/{code[:4].lower()}"
    assert (await administer(front, "DELETE", gone)).status == 200
    assert (await administer(front, "DELETE", gone)).status == 404
    assert (await ask(front, code)).status == 401
    assert (await ask(front, other)).status == 200


async def test_code_is_kept_nowhere(front: Door) -> None:
    """Neither the audit nor the store's file has the code, as it is shown or as it is compared."""
    code = await given_out(front)
    await ask(front, code)
    state = front.broker.components.settings.state_dir
    for path in (state / "audit.log", *state.glob("remint.db*")):
        held = path.read_bytes()
        assert code.encode() not in held
        assert code.replace("-", "").encode() not in held


async def test_codes_are_drawn_at_random(front: Door) -> None:
    """Codes have sixteen symbols of an alphabet of 32, four of them the name, and all differ."""
    codes = [await given_out(front) for _ in range(10)]
    symbols = [code.replace("-", "") for code in codes]
    assert {len(each) for each in symbols} == {16}
    assert set("".join(symbols)) <= set("0123456789ABCDEFGHJKMNPQRSTVWXYZ")
    assert len({each[4:] for each in symbols}) == 10
    eleventh = await administer(front, "POST", "demo/passcodes?_action=create", {})
    assert (eleventh.status, "withdraw one first" in eleventh.text) == (409, True)


@pytest.mark.parametrize("lifetime", [0, 59, 30 * 24 * HOUR + 1, "3600", True, None, 1.5])
async def test_lifetimes(front: Door, lifetime: Any) -> None:
    """A lifetime is a minute to thirty days."""
    path = "demo/passcodes?_action=create"
    answer = await administer(front, "POST", path, {"lifetime": lifetime})
    assert (answer.status, "lifetime is 60 to" in answer.text) == (400, True)


async def test_others_give_none_out(front: Door) -> None:
    """Who is no administrator gives none out, sees none and withdraws none."""
    code = await given_out(front)
    session = {HEADER: await front.login()}
    for method, path in (
        ("POST", "demo/passcodes?_action=create"),
        ("GET", "demo/passcodes"),
        ("DELETE", f"demo/passcodes/{code[:4]}"),
    ):
        assert (await administer(front, method, path, {}, **session)).status == 403
    assert (await ask(front, code)).status == 200


async def test_mistakes(front: Door) -> None:
    """A path that is no passcode's is a 4xx that says what there is."""
    for method, path, status in (
        ("PUT", "demo/passcodes", 405),
        ("DELETE", "demo/passcodes", 405),
        ("GET", "demo/passcodes/ABCD", 405),
        ("GET", "nobody/passcodes", 404),
    ):
        assert (await administer(front, method, path, {})).status == status, path
    wrong = await ask(front, None, instance="two", password=USER_PASSWORD)
    assert wrong.status == 401

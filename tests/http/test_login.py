"""AM's zero-page login: by every spelling of a realm, and slowed down by failures."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from tests.support import door as doors
from tests.support.door import (
    HEADER,
    REALM,
    Answer,
    Door,
)
from tests.support.planted import ADMIN_PASSWORD, MARK, USER_PASSWORD, Planted


async def _ask(door: Door, action: str, session: str, realm: str = "") -> Answer:
    path = f"/json{realm}/sessions?_action={action}"
    return await door.request("POST", path, headers={HEADER: session})


ROOT_FORMS = ["", "/realms/root"]


BOBO_FORMS = ["/realms/root/realms/fred/realms/bobo", REALM]


WRONG = f"wrong-{MARK}"


def _credentials(name: str = "demo", password: str = USER_PASSWORD) -> dict[str, str]:
    return {"X-OpenAM-Username": name, "X-OpenAM-Password": password}


async def _authenticate(door: Door, head: Mapping[str, str], realm: str = "") -> Answer:
    return await door.request("POST", f"/json{realm}/authenticate", headers=head)


@pytest.mark.parametrize(
    ("form", "realm"),
    [*((form, "/") for form in ROOT_FORMS), *((form, REALM) for form in BOBO_FORMS)],
)
@pytest.mark.parametrize("prefix", ["", "/openam"])
async def test_login(door: Door, prefix: str, form: str, realm: str) -> None:
    """A login by any spelling of the realm answers the session, where to go, and the realm."""
    path = f"{prefix}/json{form}/authenticate"
    answer = await door.request("POST", path, headers=_credentials())
    assert answer.status == 200
    session = answer.body["tokenId"]
    assert answer.body == {"tokenId": session, "successUrl": "/", "realm": realm}
    valid = await _ask(door, "validate", session, form)
    assert (valid.body["valid"], valid.body["realm"]) == (True, realm)


async def test_realm_in_the_query(door: Door) -> None:
    """A login may name the realm in the query, as AM's clients do."""
    path = f"/json/authenticate?realm={REALM}&authIndexType=service&authIndexValue=ldapService"
    answer = await door.request("POST", path, headers=_credentials())
    assert (answer.status, answer.body["realm"]) == (200, REALM)


@pytest.mark.parametrize(
    "form",
    ["/nowhere", "/realms/fred", "/realms/root/fred", "/realms/root/realms", "/FRED/bobo", "/fred"],
)
async def test_unknown_realm(door: Door, form: str) -> None:
    """A realm that does not exist, or a path that names none, is a 404."""
    assert (await _authenticate(door, _credentials(), form)).status == 404


async def test_users_of_one_realm(door: Door) -> None:
    """A user of one realm cannot log in to another."""
    await door.add_user("rooted")
    assert (await _authenticate(door, _credentials("rooted"))).status == 200
    assert (await _authenticate(door, _credentials("rooted"), REALM)).status == 401


async def test_cookie(door: Door) -> None:
    """A login sets the session cookie, out of reach for scripts and other sites."""
    answer = await _authenticate(door, _credentials())
    pair, *flags = answer.headers["Set-Cookie"].split("; ")
    assert pair == f"{HEADER}={answer.body['tokenId']}"
    assert set(flags) == {"Path=/", "HttpOnly", "SameSite=Strict"}


async def test_cookie_is_secure_behind_tls(
    tmp_path: Path, planted: Planted, said: list[str]
) -> None:
    """Where clients come by TLS the cookie is sent by TLS alone."""
    http = {"tls": "offloaded"}
    async with doors.opened(tmp_path / "state", planted, http=http) as door:
        answer = await _authenticate(door, _credentials())
    assert answer.headers["Set-Cookie"].endswith("; Secure")


async def test_wrong_credentials_look_alike(door: Door) -> None:
    """A wrong password, an unknown, inactive or foreign user: one answer, byte for byte."""
    await door.add_user("dormant", active=False)
    await door.add_user("foreign", REALM)
    answers = [
        await _authenticate(door, _credentials(*credentials))
        for credentials in (
            ("demo", WRONG),
            ("demo", ""),
            ("demo", WRONG * 100),
            ("nobody", USER_PASSWORD),
            ("", USER_PASSWORD),
            ("DEMO", USER_PASSWORD),
            ("dormant", USER_PASSWORD),
            ("foreign", USER_PASSWORD),
            ("' OR 1=1 --", USER_PASSWORD),
        )
    ]
    assert {(answer.status, answer.text) for answer in answers} == {
        (401, '{"code":401,"reason":"Unauthorized","message":"Authentication Failed"}')
    }
    assert not any("Set-Cookie" in answer.headers for answer in answers)


@pytest.mark.parametrize(
    "head", [{"X-OpenAM-Username": "demo"}, {"X-OpenAM-Password": USER_PASSWORD}]
)
async def test_missing_headers(door: Door, head: dict[str, str]) -> None:
    """A login with one of the two headers is a 401."""
    answer = await _authenticate(door, head)
    assert (answer.status, answer.body["reason"]) == (401, "Unauthorized")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_login_by_post_alone(door: Door, method: str) -> None:
    """Other methods than POST do not log in, and the answer says which does."""
    answer = await door.request(method, "/json/authenticate", headers=_credentials())
    assert (answer.status, answer.body["reason"]) == (405, "Method Not Allowed")
    assert answer.headers["Allow"] == "POST"


async def test_name_and_password_beyond_ascii(door: Door) -> None:
    """Header values are read as UTF-8."""
    await door.add_user("zoë")
    answer = await _authenticate(door, _credentials("zoë"))
    assert answer.status == 200
    assert (await _ask(door, "getSessionInfo", answer.body["tokenId"])).body["username"] == "zoë"


@pytest.mark.parametrize(
    "name",
    [
        "=?UTF-8?B?em/Dqw==?=",
        "=?utf-8?q?zo=C3=AB?=",
        "=?UTF-8?B?em8=?= =?UTF-8?Q?=C3=AB?=",
        "=?UTF-8?B?em/D?= =?UTF-8?B?qw==?=",
    ],
)
async def test_encoded_words(door: Door, name: str) -> None:
    """Names and passwords may be encoded words, as AM's clients write what is not ASCII."""
    await door.add_user("zoë", password="pässword")
    answer = await _authenticate(door, _credentials(name, "=?UTF-8?B?cMOkc3N3b3Jk?="))
    assert answer.status == 200, answer.text
    assert (await _ask(door, "getSessionInfo", answer.body["tokenId"])).body["username"] == "zoë"


@pytest.mark.parametrize(
    "password", ["=?UTF-8?B?no?=", "=?UTF-8?B?/w==?=", "=?UTF-8?X?YQ==?=", "a =?UTF-8?B?YQ==?="]
)
async def test_what_looks_like_an_encoded_word(door: Door, password: str) -> None:
    """A password that only looks like an encoded word is meant as it stands."""
    await door.add_user("literal", password=password)
    assert (await _authenticate(door, _credentials("literal", password))).status == 200


@pytest.fixture
async def proxied(tmp_path: Path, planted: Planted, said: list[str]) -> AsyncIterator[Door]:
    """A broker that believes this test what address it forwards for, at one moment."""
    http = {"trusted_proxies": ["127.0.0.0/8"]}
    clock = doors.FrozenClock()
    async with doors.opened(tmp_path / "state", planted, clock=clock, http=http) as door:
        yield door
        said.extend(door.refusals)


async def test_throttling(proxied: Door) -> None:
    """After ten failures a name is a 429 at that address, right password or not."""
    here, elsewhere = {"X-Forwarded-For": "192.0.2.1"}, {"X-Forwarded-For": "192.0.2.2"}
    for _ in range(10):
        answer = await _authenticate(proxied, {**_credentials("admin", WRONG), **here})
        assert answer.status == 401
    for password in (WRONG, ADMIN_PASSWORD):
        answer = await _authenticate(proxied, {**_credentials("admin", password), **here})
        assert (answer.status, answer.body["reason"]) == (429, "Too Many Requests")
        assert answer.headers["Retry-After"] == "1"
    right = _credentials("admin", ADMIN_PASSWORD)
    assert (await _authenticate(proxied, {**right, **elsewhere})).status == 200
    assert (await _authenticate(proxied, {**_credentials(), **here})).status == 200


async def test_success_clears_the_throttle(proxied: Door) -> None:
    """A login that succeeds forgets the failures before it."""
    for _ in range(2):
        for _ in range(9):
            assert (await _authenticate(proxied, _credentials("admin", WRONG))).status == 401
        right = _credentials("admin", ADMIN_PASSWORD)
        assert (await _authenticate(proxied, right)).status == 200


async def test_unknown_names_are_throttled_alike(proxied: Door) -> None:
    """What a user, an administrator and a name that nobody has hear of their failures is the
    same."""
    heard: list[list[tuple[int, str, str | None]]] = []
    for number, name in enumerate(("demo", "admin", "nobody")):
        head = {**_credentials(name, WRONG), "X-Forwarded-For": f"192.0.2.{number}"}
        answers = [await _authenticate(proxied, head) for _ in range(12)]
        heard.append(
            [(each.status, each.text, each.headers.get("Retry-After")) for each in answers]
        )
    assert heard[0] == heard[1] == heard[2]
    assert [status for status, _, _ in heard[0]] == [401] * 10 + [429] * 2


async def test_audit(door: Door) -> None:
    """Each login leaves one line; a refused one says why to the audit, not to the caller."""
    await door.login()
    await _authenticate(door, _credentials("demo", WRONG))
    await _authenticate(door, _credentials("nobody", WRONG))
    lines = door.audit()
    assert [line["outcome"] for line in lines] == ["ok", "refused", "refused"]
    assert lines[0]["principal"] == "demo"
    assert [line["reason"] for line in lines[1:]] == ["wrong password", "unknown user"]

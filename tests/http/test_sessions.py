"""AM's login and the life of its sessions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support import door as doors
from tests.support.door import (
    ELEMENT,
    HEADER,
    ID_TOKEN,
    REALM,
    Answer,
    Door,
    FrozenClock,
    session_input,
)
from tests.support.planted import ADMIN_PASSWORD, MARK, Planted


async def _ask(door: Door, action: str, session: str, realm: str = "") -> Answer:
    path = f"/json{realm}/sessions?_action={action}"
    return await door.request("POST", path, headers={HEADER: session})


async def test_validate(door: Door) -> None:
    """A live session is valid and named; anything else is invalid, with nothing more said."""
    session = await door.login(realm=REALM)
    answer = await _ask(door, "validate", session)
    assert set(answer.body) == {"valid", "sessionUid", "uid", "realm"}
    assert (answer.body["valid"], answer.body["uid"]) == (True, "demo")
    assert answer.body["realm"] == REALM
    assert session not in answer.text
    for other in ("unknown", "x" * 5000, session[:-1]):
        answer = await _ask(door, "validate", other)
        assert (answer.status, answer.body) == (200, {"valid": False})
    answer = await door.request("POST", "/json/sessions?_action=validate")
    assert (answer.status, answer.body) == (200, {"valid": False})


async def test_session_information(tmp_path: Path, planted: Planted, said: list[str]) -> None:
    """getSessionInfo says whose session it is and when it ends, in the clock's time."""
    clock = FrozenClock(1_800_000_000)
    async with doors.opened(tmp_path / "state", planted, clock=clock) as door:
        session = await door.login(realm=REALM)
        answer = await _ask(door, "getSessionInfo", session)
        assert answer.body == {
            "username": "demo",
            "universalId": "id=demo,ou=user,o=bobo,o=fred,ou=am-config",
            "realm": REALM,
            "latestAccessTime": "2027-01-15T08:00:00Z",
            "maxIdleExpirationTime": "2027-01-15T08:30:00Z",
            "maxSessionExpirationTime": "2027-01-15T10:00:00Z",
            "properties": {},
        }
        assert (await _ask(door, "getSessionInfo", "unknown")).status == 401
        said.extend(door.refusals)


@pytest.mark.parametrize("realm", ["", "/realms/root", REALM])
async def test_id_from_session(door: Door, realm: str) -> None:
    """idFromSession names the user of a session; without one it is a 401."""
    session = await door.login(realm=realm)
    path = f"/json{realm}/users?_action=idFromSession"
    answer = await door.request("POST", path, headers={HEADER: session})
    assert set(answer.body) == {"id", "realm", "dn", "successURL", "fullLoginURL"}
    assert answer.body["id"] == "demo"
    assert answer.body["realm"] == (REALM if realm == REALM else "/")
    assert answer.body["dn"].startswith("id=demo,ou=user,")
    for head in ({}, {HEADER: "unknown"}):
        assert (await door.request("POST", path, headers=head)).status == 401


async def test_logout(door: Door) -> None:
    """A logout ends the session everywhere, at once."""
    session = await door.login()
    answer = await _ask(door, "logout", session)
    assert (answer.status, answer.body) == (200, {"result": "Successfully logged out"})
    assert (await _ask(door, "validate", session)).body == {"valid": False}
    assert (await _ask(door, "logout", session)).status == 401
    assert (await door.translate(session_input(session), ID_TOKEN)).status == 401
    path = "/json/users?_action=idFromSession"
    assert (await door.request("POST", path, headers={HEADER: session})).status == 401


async def test_ways_to_name_a_session(door: Door) -> None:
    """A session is named by the header, the cookie, the old path, the query or the body."""
    session = await door.login()
    path = "/json/sessions"
    ways: list[tuple[str, dict[str, str], Any]] = [
        (f"{path}?_action=validate", {HEADER: session}, None),
        (f"{path}/?_action=validate", {HEADER: session}, None),
        (f"{path}?_action=validate", {"Cookie": f"{HEADER}={session}"}, None),
        (f"{path}/{session}?_action=validate", {}, None),
        (f"{path}?_action=validate&tokenId={session}", {}, None),
        (f"{path}?_action=validate", {}, {"tokenId": session}),
    ]
    for way, head, body in ways:
        answer = await door.request("POST", way, headers=head, body=body)
        assert answer.body["valid"] is True, way
    answer = await door.request("POST", f"{path}/{session}?_action=logout")
    assert answer.body == {"result": "Successfully logged out"}
    assert (await _ask(door, "validate", session)).body == {"valid": False}


async def test_header_goes_before_the_cookie(door: Door) -> None:
    """Where both name a session, the header's counts."""
    head = {HEADER: await door.login(realm=REALM), "Cookie": f"{HEADER}={await door.login()}"}
    answer = await door.request("POST", "/json/sessions?_action=validate", headers=head)
    assert answer.body["realm"] == REALM


@pytest.mark.parametrize(
    ("method", "query", "status"),
    [("POST", "", 400), ("POST", "?_action=refresh", 400), ("GET", "?_action=validate", 405)],
)
async def test_other_requests(door: Door, method: str, query: str, status: int) -> None:
    """Other actions and methods on sessions are refused."""
    answer = await door.request(
        method, f"/json/sessions{query}", headers={HEADER: await door.login()}
    )
    assert answer.status == status


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1.evil"])
async def test_cookie_sent_by_another_site(door: Door, origin: str) -> None:
    """A cookie that another site's page sent along counts for nothing; our own page's counts."""
    head = {"Cookie": f"{HEADER}={await door.login('admin', ADMIN_PASSWORD)}"}
    path = f"/sts-tokengen?_queryFilter=/sts_id+eq+'{ELEMENT}'"
    answer = await door.request("GET", path, headers={**head, "Origin": origin})
    assert answer.status == 401
    answer = await door.request("GET", path, headers={**head, "Origin": door.url})
    assert answer.status == 200


async def test_cookie_administers(door: Door) -> None:
    """An administrator's cookie is as good as the header, wherever sessions are read."""
    head = {"Cookie": f"other=1; {HEADER}={await door.login('admin', ADMIN_PASSWORD)}"}
    for path in ("/sts-publish/rest", f"/sts-tokengen?_queryFilter=/sts_id+eq+'{ELEMENT}'"):
        assert (await door.request("GET", path, headers=head)).status == 200


@pytest.mark.parametrize(("form", "realm"), [("", "/"), (REALM, REALM)])
async def test_server_information(door: Door, form: str, realm: str) -> None:
    """Clients learn the cookie's name without a session."""
    answer = await door.request("GET", f"/json{form}/serverinfo/*")
    assert answer.status == 200
    assert (answer.body["cookieName"], answer.body["realm"]) == (HEADER, realm)
    assert answer.body["secureCookie"] is False
    assert (await door.request("POST", f"/json{form}/serverinfo/*")).status == 405


async def test_cookie_name_is_a_setting(tmp_path: Path, planted: Planted, said: list[str]) -> None:
    """Another cookie name goes for the cookie, the header and what serverinfo says."""
    http = {"cookie_name": "sso"}
    async with doors.opened(tmp_path / "state", planted, http=http) as door:
        session = await door.login()
        assert (await door.request("GET", "/json/serverinfo/*")).body["cookieName"] == "sso"
        path = "/json/sessions?_action=validate"
        for head in ({"sso": session}, {"Cookie": f"sso={session}"}):
            assert (await door.request("POST", path, headers=head)).body["valid"] is True
        assert (await _ask(door, "validate", session)).body == {"valid": False}


async def test_expiry(tmp_path: Path, planted: Planted, said: list[str]) -> None:
    """A session ends when it idled too long, and at the end of its life whatever its use."""
    clock = FrozenClock()
    sessions = {"max_idle_seconds": 300, "max_life_seconds": 1000}
    opened = doors.opened(tmp_path / "state", planted, clock=clock, sessions=sessions)
    async with opened as door:
        idle, used = await door.login(), await door.login()
        for _ in range(4):
            clock.advance(240)
            assert (await door.translate(session_input(used), ID_TOKEN)).status == 200
        assert (await _ask(door, "validate", idle)).body == {"valid": False}
        assert (await door.translate(session_input(idle), ID_TOKEN)).status == 401
        clock.advance(39)
        assert (await _ask(door, "validate", used)).body["valid"] is True
        clock.advance(1)
        assert (await _ask(door, "validate", used)).body == {"valid": False}
        said.extend(door.refusals)


async def test_asking_does_not_keep_a_session_alive(
    tmp_path: Path, planted: Planted, said: list[str]
) -> None:
    """Validating a session is no use of it: it idles out all the same."""
    clock = FrozenClock()
    async with doors.opened(tmp_path / "state", planted, clock=clock) as door:
        session = await door.login()
        for _ in range(3):
            clock.advance(599)
            assert (await _ask(door, "validate", session)).body["valid"] is True
        clock.advance(3)
        assert (await _ask(door, "validate", session)).body == {"valid": False}


async def test_right_goes_with_the_role(door: Door) -> None:
    """An administrator who loses the role loses the right at once, and keeps the session."""
    head, root = await door.realm_admin(), await door.admin()
    path = f"/json{REALM}/users"
    assert (await door.request("GET", path, headers=head)).status == 200
    body: dict[str, Any] = {"attributes": {"roles": ["user"]}}
    assert (await door.request("PUT", f"{path}/ada", body=body, headers=root)).status == 200
    assert (await door.request("GET", path, headers=head)).status == 403
    assert (await _ask(door, "validate", head[HEADER])).body["valid"] is True


@pytest.mark.parametrize("change", [{"active": False}, {"password": f"other-{MARK}"}, None])
async def test_session_ends_with_its_user(door: Door, change: dict[str, Any] | None) -> None:
    """Deactivating or deleting a user, or a new password, ends the sessions of before at once."""
    await door.add_user("ann")
    session, root = await door.login("ann"), await door.admin()
    method = "PUT" if change else "DELETE"
    answer = await door.request(method, "/json/users/ann", body=change, headers=root)
    assert answer.status == 200
    assert (await _ask(door, "validate", session)).body == {"valid": False}
    assert (await door.translate(session_input(session), ID_TOKEN)).status == 401
    await door.add_user("ann")
    assert (await _ask(door, "validate", session)).body == {"valid": False}

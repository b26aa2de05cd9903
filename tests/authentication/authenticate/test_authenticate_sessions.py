"""Sessions of those whom a directory let in: what they may do, and what tokens say of them."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from broker.authentication import Identity, account
from broker.errors import AuthenticationFailed
from broker.instance import Instance
from tests.authentication.authenticate.asking import answered, begin, credentials
from tests.http import judges
from tests.support import door as doors
from tests.support.authentication import authentication_file
from tests.support.door import (
    ASSERTION,
    HEADER,
    ID_TOKEN,
    Door,
    FrozenClock,
    an_instance,
    session_input,
)
from tests.support.planted import MARK, USER_PASSWORD, Planted
from tests.support.word_module import install_word

WORD = f"word-{MARK}"
QUERY = "?authIndexType=module&authIndexValue=corp"
TWO = "?authIndexType=service&authIndexValue=two"
MODULES = f"""
[[module]]
name = "corp"
kind = "word"
word = "{WORD}"
attributes = {{ team = "red", mail = "boss@corp.example" }}

[[module]]
name = "asks"
kind = "word"
does = "ask"
word = "{WORD}"
attributes = {{ team = "blue", mail = "other@corp.example" }}

[[chain]]
name = "two"
modules = [
    {{ module = "DataStore", flag = "requisite" }},
    {{ module = "asks", flag = "required" }},
]
"""


def instance() -> Instance:
    made = an_instance("corp", attribute_map={"team": "team", "mail": "mail"})
    assert made.oidc is not None
    return replace(made, oidc=replace(made.oidc, claim_map={"team": "team", "email": "mail"}))


@pytest.fixture
def clock() -> FrozenClock:
    """At the present, which those who judge certificates go by."""
    return FrozenClock(float(int(time.time())))


@pytest.fixture
async def front(
    clock: FrozenClock,
    tmp_path: Path,
    planted: Planted,
    said: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Door]:
    install_word(tmp_path, monkeypatch)
    planted.note(WORD)
    settings = authentication_file(tmp_path, MODULES)
    async with doors.opened(tmp_path / "state", planted, clock=clock, **settings) as opened:
        await opened.publish(instance())
        yield opened
        said.extend(opened.refusals)
    said.append((tmp_path / "state" / "audit.log").read_text())


async def login(door: Door, name: str) -> str:
    """The session of somebody whom the module ``corp`` knows."""
    done = await begin(door, QUERY, **credentials(name, WORD))
    assert done.status == 200, done.text
    return str(done.body["tokenId"])


async def ask(door: Door, action: str, session: str) -> dict[str, object]:
    path = f"/json/sessions?_action={action}"
    return dict((await door.request("POST", path, headers={HEADER: session})).body)


async def test_a_session_becomes_tokens(front: Door) -> None:
    """Name, attributes and means of a login in a directory are in the tokens of its session."""
    given = session_input(await login(front, "boss"))
    told = await front.translate(given, ID_TOKEN, instance="corp")
    claims = (await judges.id_token(front, told.body["issued_token"], "RS256")).claims
    assert (claims["sub"], claims["team"], claims["amr"]) == ("boss", "red", ["kba"])
    assert claims["email"] == "boss@corp.example"
    told = await front.translate(given, ASSERTION, instance="corp")
    assertion = await judges.assertion(front, told.body["issued_token"])
    assert judges.texts(assertion, ".//saml:AttributeValue") == ["red", "boss@corp.example"]
    assert {record.principal for record in await front.tokens()} == {"auth://corp#boss"}


async def test_a_directorys_admin_has_no_right(front: Door) -> None:
    """Who is called admin elsewhere administers nothing here, though there is such a user."""
    head = {HEADER: await login(front, "admin")}
    for method, path in (
        ("GET", "/json/users?_queryFilter=true"),
        ("GET", "/json/authentication/modules?_queryFilter=true"),
        ("GET", "/sts-tokengen?_queryFilter=true"),
        ("POST", "/sts-publish/rest?_action=create"),
    ):
        answer = await front.request(method, path, headers=head, body={})
        assert answer.status == 403, (path, answer.text)


async def test_a_local_namesake_is_somebody_else(front: Door) -> None:
    """The attributes, the password and the end of a local user are nothing to a namesake."""
    session = await login(front, "demo")
    await front.add_user("demo", attributes={"mail": ("changed@example.com",)}, active=False)
    told = await front.translate(session_input(session), ID_TOKEN, instance="corp")
    claims = (await judges.id_token(front, told.body["issued_token"], "RS256")).claims
    assert claims["email"] == "boss@corp.example"


async def test_what_is_said_of_the_session(front: Door) -> None:
    """validate, getSessionInfo and idFromSession answer; the universal id is no local user's."""
    session = await login(front, "admin")
    valid = await ask(front, "validate", session)
    assert (valid["valid"], valid["uid"], valid["realm"]) == (True, "admin", "/")
    info = await ask(front, "getSessionInfo", session)
    assert info["username"] == "admin"
    assert info["universalId"] == "id=auth://corp#admin,ou=user,ou=am-config"
    assert info["properties"] == {"AuthType": "corp", "Principal": "auth://corp#admin"}
    path = "/json/users?_action=idFromSession"
    told = (await front.request("POST", path, headers={HEADER: session})).body
    assert (told["id"], told["dn"]) == ("admin", info["universalId"])
    assert (await ask(front, "logout", session))["result"] == "Successfully logged out"
    assert await ask(front, "validate", session) == {"valid": False}


async def test_properties_of_a_session_in_an_assertion(front: Door) -> None:
    """What the profile lacks is a property of the session that came in, by the name that
    getSessionInfo has; it stands in for nothing else, and for no claim of an ID token."""
    wanted = {"by": "AuthType", "team": "team", "none": "Service", "raw": "AuthType;binary"}
    made = an_instance("props", attribute_map={**wanted, "fixed": '"Principal"'})
    assert made.oidc is not None
    await front.publish(replace(made, oidc=replace(made.oidc, claim_map=wanted)))
    given = session_input(await login(front, "boss"))
    told = await front.translate(given, ASSERTION, instance="props")
    assertion = await judges.assertion(front, told.body["issued_token"])
    assert judges.texts(assertion, ".//saml:AttributeValue") == ["corp", "red", "Principal"]
    told = await front.translate(given, ID_TOKEN, instance="props")
    claims = (await judges.id_token(front, told.body["issued_token"], "RS256")).claims
    assert (claims["team"], "by" in claims) == ("red", False)


async def test_it_ends_by_itself(front: Door, clock: FrozenClock) -> None:
    """A session of a foreign subject idles out, and ends, as any other."""
    session = await login(front, "boss")
    clock.advance(1799)
    assert (await ask(front, "validate", session))["valid"]
    clock.advance(1)
    assert await ask(front, "validate", session) == {"valid": False}
    given = session_input(session)
    assert (await front.translate(given, ID_TOKEN, instance="corp")).status == 401


async def test_a_local_users_session_of_two_factors(front: Door) -> None:
    """It is the local user's: bound to the account as ever, and to nothing that a second factor's
    directory says of the same names."""
    step = await begin(front, TWO, **credentials())
    session = str((await answered(front, step, WORD)).body["tokenId"])
    info = await ask(front, "getSessionInfo", session)
    assert info["universalId"] == "id=demo,ou=user,ou=am-config"
    assert info["properties"] == {"Service": "two"}
    given = session_input(session)
    told = await front.translate(given, ID_TOKEN, instance="corp")
    claims = (await judges.id_token(front, told.body["issued_token"], "RS256")).claims
    assert (claims["email"], claims["team"]) == ("demo@example.com", "blue")
    assert claims["amr"] == ["pwd", "kba"]
    await front.add_user("demo", active=False)
    assert (await front.translate(given, ID_TOKEN, instance="corp")).status == 401
    assert await ask(front, "validate", session) == {"valid": False}


async def test_an_administrator_of_two_factors(front: Door) -> None:
    """A local administrator who logs in through a chain administers."""
    await front.add_user("ada", attributes={"roles": ("admin",)})
    step = await begin(front, TWO, **credentials("ada", USER_PASSWORD))
    head = {HEADER: str((await answered(front, step, WORD)).body["tokenId"])}
    assert (await front.request("GET", "/json/users?_queryFilter=true", headers=head)).status == 200


@pytest.mark.parametrize("foreign", [account("corp", "zed"), None])
async def test_what_counts_once_opens_one_session(foreign: str | None, front: Door) -> None:
    """A code that was spent opens no second session, and the refusal opens none either."""
    sessions = front.broker.components.sessions
    await front.add_user("zed")
    identity = Identity("zed", {}, foreign, one_time="totp/1")
    await sessions.admit("/", identity, "module|corp")
    with pytest.raises(AuthenticationFailed):
        await sessions.admit("/", identity, "module|corp")


async def test_a_session_lasts_no_longer_than_its_ground(front: Door, clock: FrozenClock) -> None:
    """Where what vouches for somebody ends, so does the session; what has ended opens none."""
    sessions = front.broker.components.sessions
    identity = Identity("zed", {}, account("corp", "zed"), not_after=int(clock.at) + 60)
    session = await sessions.admit("/", identity, "module|corp")
    clock.advance(59)
    assert await sessions.find(session.id) is not None
    clock.advance(1)
    assert await sessions.find(session.id) is None
    with pytest.raises(AuthenticationFailed):
        await sessions.admit("/", identity, "module|corp")

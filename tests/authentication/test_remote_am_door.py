"""A broker in front of another AM, through its front door: the other one is a broker as well."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.authentication import am_server
from tests.authentication.administering import administers
from tests.authentication.pages import snippets
from tests.http import judges
from tests.support import door as doors
from tests.support.authentication import authentication_file, targeted
from tests.support.door import (
    ASSERTION,
    HEADER,
    ID_TOKEN,
    Door,
    an_instance,
    session_input,
    user_input,
)
from tests.support.planted import ADMIN_PASSWORD, Planted
from tests.support.process import BrokerProcess, running

ADMIN = user_input(ADMIN_PASSWORD, "admin")
REFUSED = "Authentication Failed"


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    """A broker of its own, in a process of its own: an AM with the user ``admin``."""
    with running(tmp_path_factory.mktemp("other")) as started:
        yield started


@pytest.fixture
async def front(
    other: BrokerProcess, tmp_path: Path, planted: Planted, said: list[str]
) -> AsyncIterator[Door]:
    """A broker whose instance ``front`` asks the other one; what it says is searched."""
    text = f'[[module]]\nname = "am"\nkind = "remote_am"\nurl = "{other.url}/am"\ntimeout = 20\n'
    settings = authentication_file(tmp_path, text)
    async with doors.opened(tmp_path / "state", planted, **settings) as opened:
        both = {"USERNAME": "module|am", "OPENAM": "module|am"}
        await opened.publish(targeted(an_instance("front"), **both))
        yield opened
        said.extend(opened.refusals)
    said.append((tmp_path / "state" / "audit.log").read_text())


async def session_of(other: BrokerProcess, planted: Planted) -> str:
    head = {"X-OpenAM-Username": "admin", "X-OpenAM-Password": ADMIN_PASSWORD}
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{other.url}/json/authenticate", headers=head) as answer,
    ):
        session = str((await answer.json())["tokenId"])
    planted.note(session)
    return session


async def test_a_name_of_the_other(front: Door) -> None:
    """A name and password of the AM become an ID token and an assertion for that name, which is
    no user of ours."""
    told = await front.translate(ADMIN, ID_TOKEN, instance="front")
    token = await judges.id_token(front, told.body["issued_token"], "RS256")
    assert token.claims["sub"] == "admin"
    told = await front.translate(ADMIN, ASSERTION, instance="front")
    await judges.assertion(front, told.body["issued_token"])
    assert {each.principal for each in await front.tokens()} == {"auth://am#admin"}


@pytest.mark.parametrize(("name", "password"), [("admin", "wrong"), ("demo", "Ch4ng31t")])
async def test_a_wrong_password(name: str, password: str, front: Door) -> None:
    """What the AM refuses is refused here: our own users do not count for it."""
    told = await front.translate(user_input(password, name), ID_TOKEN, instance="front")
    assert (told.status, told.body["message"]) == (401, REFUSED)


async def test_a_session_of_the_other(front: Door, other: BrokerProcess, planted: Planted) -> None:
    """A session of the AM is accepted as OPENAM input until it ends there."""
    session = await session_of(other, planted)
    for _ in range(2):
        told = await front.translate(session_input(session), ID_TOKEN, instance="front")
        assert told.status == 200, told.text
    async with aiohttp.ClientSession() as http:
        path = f"{other.url}/json/sessions?_action=logout"
        async with http.post(path, headers={HEADER: session}) as answer:
            assert answer.status == 200
    told = await front.translate(session_input(session), ID_TOKEN, instance="front")
    assert (told.status, told.body["message"]) == (401, REFUSED)


async def test_a_session_of_ours_is_none_there(front: Door) -> None:
    """Where the AM has the word a session of this broker is unknown."""
    told = await front.translate(session_input(await front.login()), ID_TOKEN, instance="front")
    assert told.status == 401


async def test_an_am_that_is_gone(tmp_path: Path, planted: Planted) -> None:
    """With the AM gone the answer is 503 with Retry-After."""
    async with am_server.serving() as am:
        text = f'[[module]]\nname = "am"\nkind = "remote_am"\nurl = "{am.url}"\n'
    settings = authentication_file(tmp_path, text + '[[default]]\nUSERNAME = "module|am"\n')
    async with doors.opened(tmp_path / "state", planted, **settings) as opened:
        told = await opened.translate(user_input(), ID_TOKEN)
    assert (told.status, told.headers["Retry-After"]) == (503, "1")


async def test_the_page_works(tmp_path: Path, planted: Planted) -> None:
    """The example of the page, with another address, checks passwords and sessions, and leaves
    this broker's administrators their way in, of whose passwords the AM hears nothing."""
    (text,) = snippets("auth-remote-am.md")
    async with am_server.serving() as am:
        am.sessions["a-session"] = "alice"
        text = re.sub(r"^url = .*$", f'url = "{am.url}"', text, flags=re.M)
        settings = authentication_file(tmp_path, text)
        async with doors.opened(tmp_path / "state", planted, **settings) as opened:
            given = user_input(am_server.PASSWORDS["alice"], "alice")
            for each in (given, session_input("a-session")):
                told = await opened.translate(each, ID_TOKEN)
                token = await judges.id_token(opened, told.body["issued_token"], "RS256")
                assert token.claims["email"] == "alice@am.example"
            asked = len(am.calls)
            await administers(opened)
            assert len(am.calls) == asked

"""Translations of names that a real FreeRADIUS knows, through the front door."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from broker.instance import Instance
from tests.authentication.administering import administers
from tests.authentication.pages import snippets
from tests.http import judges
from tests.support import door as doors
from tests.support.authentication import authentication_file, targeted
from tests.support.door import ASSERTION, ID_TOKEN, Door, an_instance, user_input
from tests.support.freeradius import CODE, PASSWORDS, SECRET, FreeRadius, running_freeradius
from tests.support.planted import USER_PASSWORD, Planted
from tests.support.process import remint, running

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("freeradius")]


@pytest.fixture
def server() -> Iterator[FreeRadius]:
    with running_freeradius() as running:
        yield running


def modules(server: FreeRadius) -> str:
    shared = f'servers = ["{server.address}"]\nsecret = "{SECRET}"\n'
    return f"""
[[module]]
name = "corp"
kind = "radius"
{shared}
attributes = {{ groups = "Class" }}

[[module]]
name = "codes"
kind = "radius"
use = "otp"
{shared}

[[chain]]
name = "twoFactor"
modules = [
    {{ module = "DataStore", flag = "requisite" }},
    {{ module = "codes", flag = "required" }},
]
"""


def instance(element: str, target: str) -> Instance:
    made = an_instance(element, attribute_map={"groups": "groups"})
    assert made.oidc is not None
    oidc = replace(made.oidc, claim_map={"groups": "groups"})
    return targeted(replace(made, oidc=oidc), USERNAME=target)


@pytest.fixture
async def front(
    server: FreeRadius, tmp_path: Path, planted: Planted, said: list[str]
) -> AsyncIterator[Door]:
    """A broker whose instance ``corp`` asks the server; what it says is searched for secrets."""
    for secret in (SECRET, *PASSWORDS.values(), CODE):
        planted.note(secret)
    settings = authentication_file(tmp_path, modules(server))
    async with doors.opened(tmp_path / "state", planted, **settings) as opened:
        await opened.publish(instance("corp", "module|corp"), instance("two", "service|twoFactor"))
        yield opened
        said.extend(opened.refusals)
    said.append((tmp_path / "state" / "audit.log").read_text())


async def test_attributes_are_in_the_token(front: Door) -> None:
    """Name and attributes of the server are in the assertion and in the ID token."""
    given = user_input(PASSWORDS["alice"], "alice")
    told = await front.translate(given, ID_TOKEN, instance="corp")
    claims = (await judges.id_token(front, told.body["issued_token"], "RS256")).claims
    assert (claims["sub"], claims["groups"]) == ("alice", "staff vpn")
    told = await front.translate(given, ASSERTION, instance="corp")
    assertion = await judges.assertion(front, told.body["issued_token"])
    assert judges.texts(assertion, ".//saml:AttributeValue") == ["staff", "vpn"]


async def test_a_servers_admin_is_not_ours(front: Door) -> None:
    """Who is called admin there is an account of the server's in every record."""
    given = user_input(PASSWORDS["admin"], "admin")
    assert (await front.translate(given, ID_TOKEN, instance="corp")).status == 200
    (record,) = await front.tokens()
    assert record.principal == "auth://corp#admin"


async def test_a_wrong_password_is_told_like_any(front: Door) -> None:
    """The caller hears 401 and no more; the audit has the server that refused."""
    told = await front.translate(user_input("wrong", "alice"), ID_TOKEN, instance="corp")
    assert (told.status, told.body["message"]) == (401, "Authentication Failed")
    assert "refused" in str(front.audit()[-1])


async def test_one_round_trip_with_a_code(front: Door) -> None:
    """A code in the request answers the server's challenge; without one it is 401."""
    given = user_input(PASSWORDS["carol"], "carol")
    assert (await front.translate(given, ID_TOKEN, instance="corp")).status == 401
    told = await front.translate({**given, "otp": CODE}, ID_TOKEN, instance="corp")
    assert told.status == 200


@pytest.mark.parametrize(
    ("password", "code", "status"),
    [(USER_PASSWORD, "135790", 200), (USER_PASSWORD, "1", 401), ("wrong", "135790", 401)],
)
async def test_a_second_factor(password: str, code: str, status: int, front: Door) -> None:
    """A local user's password, and a code that the server checks: both, or nobody."""
    given = {**user_input(password), "otp": code}
    assert (await front.translate(given, ASSERTION, instance="two")).status == status


async def test_a_dead_server_is_503(front: Door, server: FreeRadius) -> None:
    """With no server left the answer is 503 with Retry-After, and 200 once it is back."""
    given = user_input(PASSWORDS["alice"], "alice")
    server.kill()
    told = await front.translate(given, ID_TOKEN, instance="corp")
    assert told.status == 503
    assert told.headers["Retry-After"] == "1"
    server.start()
    assert (await front.translate(given, ID_TOKEN, instance="corp")).status == 200


async def test_the_page_works(
    server: FreeRadius, tmp_path: Path, planted: Planted, said: list[str]
) -> None:
    """The examples of the page, with this server's address and secret, check logins; the first
    leaves administrators their way in, and the second asks them for a code."""
    outcomes = []
    for number, text in enumerate(snippets("auth-radius.md")):
        text = re.sub(r"^servers = .*$", f'servers = ["{server.address}"]', text, flags=re.M)
        text = re.sub(r"^secret = .*$", f'secret = "{SECRET}"', text, flags=re.M)
        settings = authentication_file(tmp_path, text)
        async with doors.opened(tmp_path / str(number), planted, **settings) as opened:
            given = {**user_input(), "otp": PASSWORDS["demo"]}
            outcomes.append((await opened.translate(given, ID_TOKEN)).status)
            given = user_input(PASSWORDS["alice"], "alice")
            outcomes.append((await opened.translate(given, ID_TOKEN)).status)
            if not number:
                await administers(opened)
    assert outcomes == [
        200,
        200,
        200,
        401,
    ]  # users of ours and names of the server, then users of ours with its codes


@pytest.mark.slow
def test_from_the_shell(server: FreeRadius, tmp_path: Path) -> None:
    """``remint auth test`` tries a login as the broker would, on the loop that brokers run on."""
    path = tmp_path / "authentication.toml"
    path.write_text(modules(server))
    settings = {"AUTHENTICATION__FILE": str(path)}
    with running(tmp_path, settings=settings) as broker:
        broker.terminate()

    def tried(password: str) -> int:
        words = ("auth", "test", "--target", "module|corp", "--username", "alice")
        told = remint(*words, state=broker.state, given=f"{password}\n", settings=settings)
        assert SECRET not in told.stdout + told.stderr
        return told.returncode

    assert tried(PASSWORDS["alice"]) == 0
    assert tried("wrong") == 1
    server.kill()
    assert tried(PASSWORDS["alice"]) == 2

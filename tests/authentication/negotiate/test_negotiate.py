"""Kerberos single sign-on (SPNEGO, RFC 4559) with a real KDC, through the front door."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.authentication.authenticate.asking import answered, credentials
from tests.authentication.negotiate.asking import (
    People,
    ask,
    proof,
    session_of,
)
from tests.authentication.pages import snippets
from tests.http import judges
from tests.support import door as doors
from tests.support.authentication import authentication_file
from tests.support.door import (
    ASSERTION,
    ID_TOKEN,
    Door,
    an_instance,
    session_input,
)
from tests.support.kdc import KERBEROS, REALM, SPNEGO, Client
from tests.support.planted import USER_PASSWORD, Planted

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("krb5")]


@pytest.mark.parametrize("mech", [SPNEGO, KERBEROS], ids=["SPNEGO", "Kerberos"])
async def test_a_ticket_opens_a_session(mech: str, front: Door, people: People) -> None:
    """Who has a ticket for the service is logged in, and sees that the service has the key."""
    client = Client(people.alice, mech=mech)
    answer = await ask(front, client.token())
    session = await session_of(front, answer)
    assert session.account == "auth://desktop#alice"
    assert session.origin is not None
    assert session.origin.attributes == {"krbPrincipalName": (f"alice@{REALM}",)}
    assert client.trusts(proof(answer))


async def test_the_session_becomes_tokens(front: Door, people: People) -> None:
    """From ticket to assertion and ID token, with the principal's name among the claims."""
    made = an_instance("corp", attribute_map={"upn": "krbPrincipalName"})
    assert made.oidc is not None
    oidc = replace(made.oidc, claim_map={"upn": "krbPrincipalName"})
    await front.publish(replace(made, oidc=oidc))
    answer = await ask(front, Client(people.alice).token())
    given = session_input(answer.body["tokenId"])
    told = await front.translate(given, ID_TOKEN, instance="corp")
    claims = (await judges.id_token(front, told.body["issued_token"], "RS256")).claims
    assert (claims["sub"], claims["upn"]) == ("alice", f"alice@{REALM}")
    assert claims["amr"] == ["wia"]
    told = await front.translate(given, ASSERTION, instance="corp")
    assertion = await judges.assertion(front, told.body["issued_token"])
    assert judges.texts(assertion, ".//saml:AttributeValue") == [f"alice@{REALM}"]


async def test_no_token_is_asked_for(front: Door) -> None:
    """Where the target wants Kerberos and none came, a 401 says so."""
    answer = await ask(front, None)
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"] == "Negotiate"
    assert answer.body["message"] == "Authentication Failed"
    for head in ("Basic YTpi", "Negotiate", "Negotiate ", "Bearer x"):
        answer = await ask(front, None, Authorization=head)
        assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Negotiate")


async def test_the_whole_name(front: Door, people: People) -> None:
    """With user_name = keep the realm is part of the name."""
    session = await session_of(front, await ask(front, Client(people.alice).token(), "whole"))
    assert session.principal == f"alice@{REALM}"


async def test_local_users(front: Door, people: People) -> None:
    """A ticket's name is the local user of that name where the module says so, and else nobody of
    ours, even if it is called admin."""
    session = await session_of(front, await ask(front, Client(people.demo).token(), "linked"))
    assert (session.principal, session.foreign) == ("demo", None)
    assert (await ask(front, Client(people.alice).token(), "linked")).status == 401
    session = await session_of(front, await ask(front, Client(people.admin).token()))
    assert session.foreign == "auth://desktop#admin"


async def test_the_session_ends_with_the_ticket(front: Door, people: People) -> None:
    """A short ticket makes a short session."""
    cache = people.kdc.user(f"brief@{REALM}", "-l", "10m")
    session = await session_of(front, await ask(front, Client(cache).token()))
    assert 0 < session.max_life_seconds <= 15 * 60  # the library adds the clocks' tolerance


async def test_a_ticket_or_a_password(front: Door, people: People) -> None:
    """A chain takes a ticket where one comes, and else asks for a password in the same 401."""
    session = await session_of(front, await ask(front, Client(people.demo).token(), "either"))
    assert session.principal == "demo"
    step = await ask(front, None, "either")
    assert (step.status, step.headers["WWW-Authenticate"]) == (401, "Negotiate")
    assert step.body["stage"] == "DataStore2"
    assert (await answered(front, step, "demo", USER_PASSWORD)).status == 200
    answer = await ask(front, None, "either", **credentials())
    assert answer.status == 200
    assert "WWW-Authenticate" not in answer.headers
    wrong = await ask(front, Client(people.alice).token(), "either")
    assert wrong.status == 200
    assert "callbacks" in wrong.body


async def test_the_page(people: People, tmp_path: Path, planted: Planted, said: list[str]) -> None:
    """What the page shows works as it says."""
    shutil.copy(people.kdc.folder / "http.keytab", tmp_path / "http.keytab")
    settings = authentication_file(tmp_path, snippets("auth-negotiate.md")[0])
    async with doors.opened(tmp_path / "state", planted, **settings) as door:
        assert (await ask(door, Client(people.alice).token())).status == 200
        path = "/json/authenticate?authIndexType=service&authIndexValue=desktopOrPassword"
        assert (await door.request("POST", path, headers=credentials())).status == 200
        assert (await door.request("POST", path)).headers["WWW-Authenticate"] == "Negotiate"
        said.extend(door.refusals)

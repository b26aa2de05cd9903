"""What the query of a login says, as AM's clients and login pages write it."""

from __future__ import annotations

import secrets

import pytest

from tests.authentication.authenticate.asking import (
    CHOSEN,
    CODE,
    DEFAULT,
    MODULES,
    TOLD,
    answered,
    begin,
    credentials,
)
from tests.support.door import HEADER, REALM, Door
from tests.support.planted import MARK

SHORT = "?service=plain"
SUCCESSFUL = {"message": "Authentication Successful", "successUrl": "/", "realm": "/"}


@pytest.mark.parametrize("query", [SHORT, "?module=asks", f"{CHOSEN}&service=plain"])
async def test_in_one_word(query: str, front: Door) -> None:
    """A chain or module named in one word is asked, and nobody in its place; in both ways at
    once, as AM's pages do, it may be named too."""
    step = await begin(front, query, **credentials("zed", "anything"))
    assert step.body["stage"] == "asks1"
    assert (await answered(front, step, CODE, query=query)).status == 200


@pytest.mark.parametrize(
    "query",
    [
        "?service=nowhere",
        "?module=nowhere",
        "?service=",
        "?module=",
        f"?service={'x' * 300}",
        "?service=%00",
        "?service=ldapService&module=DataStore",
        f"{CHOSEN}&service=ldapService",
        "?service=ldapService&service=plain",
        "?authIndexType=service&authIndexValue=ldapService&authIndexValue=plain",
        "?authIndexType=composite_advice&authIndexValue=%3CAdvices/%3E",
    ],
)
async def test_what_names_nobody_or_two(query: str, front: Door) -> None:
    """A name that is not there, is none, or is not the only one is a 400, and no login by
    anything else."""
    answer = await begin(front, query, **credentials())
    assert (answer.status, answer.body["reason"]) == (400, "Bad Request")


@pytest.mark.parametrize("modules", [MODULES + DEFAULT])
@pytest.mark.parametrize("query", ["?service=ldapService", "?module=DataStore", "?module=asks"])
async def test_no_less_than_the_default(query: str, front: Door) -> None:
    """In one word too a caller cannot choose less than the realm's default."""
    assert (await begin(front, query, **credentials())).status == 400


async def test_a_step_of_another_target(front: Door) -> None:
    """The name in one word has to be that of the step, where it comes again."""
    step = await begin(front, SHORT, **credentials("zed", "x"))
    told = await answered(front, step, CODE, query="?service=closed")
    assert (told.status, told.body) == (401, TOLD)
    assert (await answered(front, step, CODE, query=SHORT)).status == 200


@pytest.mark.parametrize("query", ["?noSession=true", "?noSession=TRUE", "?noSession=true&goto=x"])
async def test_without_a_session(query: str, front: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who wants no session hears that the login is right: no cookie, no id, and nothing that lives
    on."""
    made = f"session-{MARK}"
    with monkeypatch.context() as patched:
        patched.setattr(secrets, "token_urlsafe", lambda _: made)
        done = await begin(front, query, **credentials())
    assert (done.status, done.body) == (200, SUCCESSFUL)
    assert "Set-Cookie" not in done.headers
    path = "/json/sessions?_action=validate"
    assert (await front.request("POST", path, headers={HEADER: made})).body == {"valid": False}
    wrong = await begin(front, query, **credentials(password=f"wrong-{MARK}"))
    assert (wrong.status, wrong.body) == (401, TOLD)


async def test_without_a_session_step_by_step(front: Door) -> None:
    """Steps are asked as ever, and the last one ends without a session; any other value of
    ``noSession`` is a login with one."""
    for query, members in (
        (f"{CHOSEN}&noSession=true", {"message", "successUrl", "realm"}),
        (f"{CHOSEN}&noSession=false", {"tokenId", "successUrl", "realm"}),
    ):
        step = await begin(front, query, **credentials("zed", "x"))
        done = await answered(front, step, CODE, query=query)
        assert (done.status, set(done.body)) == (200, members)


async def test_what_changes_nothing(front: Door) -> None:
    """``ForceAuth``, ``goto`` and a session that comes along change neither who is asked nor where
    the answer leads: each login is one of its own."""
    session = await front.login()
    query = "?ForceAuth=true&goto=https://elsewhere.example/&sessionUpgradeSSOTokenId=x"
    done = await begin(front, query, **credentials(), **{HEADER: session})
    assert (done.status, done.body["successUrl"]) == (200, "/")
    assert done.body["tokenId"] != session
    step = await begin(front, **{HEADER: session})
    assert "tokenId" not in step.body


async def test_realm_in_the_query(front: Door) -> None:
    """``realm`` names the realm where the path names none; one that is not there is a 404."""
    done = await begin(front, f"?realm={REALM}", **credentials())
    assert (done.status, done.body["realm"]) == (200, REALM)
    assert (await begin(front, "?realm=/nowhere", **credentials())).status == 404

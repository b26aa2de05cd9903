"""`/json/authenticate` where a realm says who checks logins: targets, and logins in steps."""

from __future__ import annotations

import pytest

from tests.authentication.authenticate.asking import (
    CHOSEN,
    CODE,
    DEFAULT,
    MODULES,
    TOLD,
    TWO,
    answered,
    begin,
    credentials,
    types,
)
from tests.support.door import HEADER, REALM, Door
from tests.support.planted import ADMIN_PASSWORD, MARK, USER_PASSWORD


async def test_what_a_login_asks(front: Door) -> None:
    """A login without credentials is asked for a name and a password, in AM's form."""
    step = await begin(front)
    assert step.status == 200
    assert {**step.body, "authId": ""} == {
        "authId": "",
        "template": "",
        "stage": "DataStore1",
        "header": "Sign in",
        "callbacks": [
            {
                "type": "NameCallback",
                "output": [{"name": "prompt", "value": "User Name:"}],
                "input": [{"name": "IDToken1", "value": ""}],
            },
            {
                "type": "PasswordCallback",
                "output": [{"name": "prompt", "value": "Password:"}],
                "input": [{"name": "IDToken2", "value": ""}],
            },
        ],
    }
    assert "Set-Cookie" not in step.headers


async def test_answers_open_a_session(front: Door) -> None:
    """The callbacks filled in are a login; a wrong password in them is a 401 like any other."""
    step = await begin(front)
    done = await answered(front, step, "demo", USER_PASSWORD)
    assert done.status == 200
    assert set(done.body) == {"tokenId", "successUrl", "realm"}
    assert HEADER in done.headers["Set-Cookie"]
    wrong = await answered(front, await begin(front), "demo", f"wrong-{MARK}")
    assert (wrong.status, wrong.body) == (401, TOLD)


async def test_a_module_by_name(front: Door) -> None:
    """The caller names a chain or a module, and is asked what that one wants to know."""
    step = await begin(front, CHOSEN, **credentials("zed", "anything"))
    assert (step.body["stage"], types(step)) == ("asks1", ["PasswordCallback"])
    done = await answered(front, step, CODE)
    assert done.status == 200
    query = "?authIndexType=module&authIndexValue=asks"
    step = await begin(front, query, **credentials("zed", "anything"))
    assert (await answered(front, step, CODE, query=query)).status == 200


@pytest.mark.parametrize(
    "query",
    [
        "?authIndexType=service&authIndexValue=nowhere",
        "?authIndexType=module&authIndexValue=nowhere",
        "?authIndexType=service",
        "?authIndexValue=plain",
        "?authIndexType=level&authIndexValue=2",
        f"?authIndexType=service&authIndexValue={'x' * 300}",
    ],
)
async def test_targets_that_are_not_there(query: str, front: Door) -> None:
    """What the realm does not have is a 400, and never the local password in its place."""
    assert (await begin(front, query, **credentials())).status == 400


async def test_built_in_names(front: Door) -> None:
    """AM's own names mean the local users where a realm says nothing else."""
    for query in (
        "?authIndexType=service&authIndexValue=ldapService",
        "?authIndexType=module&authIndexValue=DataStore",
    ):
        assert (await begin(front, query, **credentials())).status == 200
        step = await begin(front, query)
        assert (await answered(front, step, "demo", USER_PASSWORD)).status == 200


async def test_who_is_down_is_no_success(front: Door) -> None:
    """A module that cannot be asked is a 503 with Retry-After."""
    answer = await begin(front, "?authIndexType=service&authIndexValue=closed", **credentials())
    assert answer.status == 503
    assert answer.headers["Retry-After"] == "5"


@pytest.mark.parametrize("modules", [MODULES + DEFAULT])
async def test_the_default_of_a_realm(front: Door) -> None:
    """Where a realm says who checks logins, a local password alone opens no session: not by
    default, and not by naming something that asks for less."""
    step = await begin(front, **credentials())
    assert step.body["stage"] == "asks1"
    assert (await begin(front, CHOSEN, **credentials())).body["stage"] == "asks1"
    for query in (
        "?authIndexType=service&authIndexValue=ldapService",
        "?authIndexType=module&authIndexValue=DataStore",
        "?authIndexType=module&authIndexValue=asks",
    ):
        assert (await begin(front, query, **credentials())).status == 400
    closed = "?authIndexType=service&authIndexValue=closed"
    assert (await begin(front, closed, **credentials())).status == 503
    assert (await begin(front, realm=REALM, **credentials())).status == 200


async def test_a_wrong_password_ends_the_chain(front: Door) -> None:
    """Nobody is asked for a second factor who did not pass the first."""
    answer = await begin(front, TWO, **credentials("demo", f"wrong-{MARK}"))
    assert (answer.status, answer.body) == (401, TOLD)


async def test_a_chain_asked_step_by_step(front: Door) -> None:
    """Name and password first, then the code: each in a step of its own."""
    step = await begin(front, TWO)
    assert types(step) == ["NameCallback", "PasswordCallback"]
    step = await answered(front, step, "demo", USER_PASSWORD)
    assert types(step) == ["PasswordCallback"]
    done = await answered(front, step, CODE)
    assert done.status == 200


async def test_the_audit(front: Door) -> None:
    """A line for each step: what was asked for, then who vouched for whom, or why not."""
    step = await begin(front, CHOSEN, **credentials("zed", "x"))
    asked = front.audit()[-1]
    await answered(front, step, CODE)
    done = front.audit()[-1]
    await answered(front, step, f"wrong-{MARK}")
    failed = front.audit()[-1]
    assert (asked["outcome"], asked["asks_for"]) == ("ok", "otp")
    assert (done["outcome"], done["principal"]) == ("ok", "auth://asks#zed")
    assert done["vouched_by"] == "asks: passed"
    assert (failed["outcome"], failed["error"]) == ("refused", "AuthenticationFailed")


async def test_admin_still_logs_in(front: Door) -> None:
    """A realm that says nothing has its administrators log in as ever."""
    assert (await begin(front, **credentials("admin", ADMIN_PASSWORD))).status == 200

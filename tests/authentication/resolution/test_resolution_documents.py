"""What a ``principal`` may say, what is wrong with others, and who may be named in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from adapters.authentication import trial
from adapters.authentication.draft import MAX_MODULE_BYTES
from adapters.authentication.principals.rule import matches
from broker.authentication import Evidence, Prompt
from broker.model import Secret
from broker.output_options import AuthTarget
from tests.authentication.resolution.world import chain, instance, module
from tests.support import door as doors
from tests.support.authentication import authentication_file
from tests.support.door import ID_TOKEN, Answer, Door, user_input
from tests.support.planted import USER_PASSWORD, Planted

PATH = "/json/authentication"
PEOPLE = {
    "kind": "ldap",
    "servers": ["ldaps://ldap.example.com"],
    "bind": "anonymous",
    "search_bases": ["dc=example,dc=com"],
}
ROLES = {"claim": "groups", "permissions": {"staff": ["order.read"]}}
WHOLE = {
    "directory": "module|people",
    "search": [{"claim": "mail", "attribute": "mail"}, {"attribute": "uid"}, {}],
    "enabled_by": {"attribute": "accountStatus", "values": ["active"]},
    "disabled_by": {"attribute": "userAccountControl", "bit": 2},
    "require": [{"claim": "email_verified", "values": ["true"]}, {"matches": "*@example.com"}],
    "main_identity_attribute": "manager",
    "main_identity_key": "employeeNumber",
    "use": "main",
    "roles": {**ROLES, "name": "rights", "required": False},
    "attribution_attribute": "acted_by",
    "attribution_claim": "nick",
    "keep_claims": ["acr"],
    "allowed_front_ends": ["payroll"],
}


@pytest.fixture
async def door(tmp_path: Path, planted: Planted, said: list[str]) -> AsyncIterator[Door]:
    async with doors.opened(tmp_path / "state", planted) as opened:
        yield opened


async def put(door: Door, path: str, body: Any) -> Answer:
    return await door.request("PUT", f"{PATH}/{path}", body=body, headers=await door.admin())


async def test_a_whole_rule_is_kept_as_it_was_written(door: Door) -> None:
    """A module and a chain show their ``principal`` as it was put."""
    assert (await put(door, "modules/people", {**PEOPLE, "principal": WHOLE})).status == 201
    link = [{"module": "people", "flag": "required"}]
    assert (await put(door, "chains/whole", {"modules": link, "principal": WHOLE})).status == 201
    for path in ("modules/people", "chains/whole"):
        shown = await door.request("GET", f"{PATH}/{path}", headers=await door.admin())
        assert shown.body["principal"] == WHOLE


@pytest.mark.parametrize(
    ("key", "changes"),
    [
        ("principal.other", {"other": 1}),
        ("principal.directory", {"directory": "people"}),
        ("principal.directory", {"directory": "module|"}),
        ("principal.search", {"directory": None}),
        ("principal.use", {"directory": None}),
        ("principal.search", {"search": [{}] * 9}),
        ("principal.search", {"search": ["mail"]}),
        ("principal.require", {"require": {"claim": "x", "values": ["x"]}}),
        ("principal.search.attribute", {"search": [{"attribute": "mail)(uid=*"}]}),
        ("principal.search.claim", {"search": [{"claim": "x" * 129}]}),
        ("principal.search.other", {"search": [{"other": "x"}]}),
        ("principal.enabled_by.attribute", {"enabled_by": {"values": ["x"]}}),
        ("principal.enabled_by.values", {"enabled_by": {"attribute": "x"}}),
        (
            "principal.disabled_by.values",
            {"disabled_by": {"attribute": "x", "values": ["x"], "bit": 2}},
        ),
        ("principal.require.values", {"require": [{"claim": "x"}]}),
        ("principal.require.values", {"require": [{"claim": "x", "values": [""]}]}),
        ("principal.require", {"require": [{"claim": "x", "values": ["x"]}] * 21}),
        (
            "principal.require.claim",
            {"require": [{"claim": "x", "attribute": "x", "values": ["x"]}]},
        ),
        ("principal.use", {"use": "both"}),
        ("principal.use", {"use": None}),
        ("principal.main_identity_attribute", {"main_identity_attribute": None}),
        ("principal.roles.permissions", {"roles": {"claim": "x"}}),
        ("principal.roles.permissions.staff", {"roles": {**ROLES, "permissions": {"staff": []}}}),
        ("principal.roles.attribute", {"roles": {"permissions": {"staff": ["x"]}}}),
        ("principal.roles.claim", {"roles": {**ROLES, "attribute": "x"}}),
        ("principal.attribution_attribute", {"attribution_attribute": None}),
        ("principal.keep_claims", {"keep_claims": [""]}),
        ("principal.allowed_front_ends", {"allowed_front_ends": [""]}),
    ],
)
async def test_rules_of_rules(door: Door, key: str, changes: dict[str, Any]) -> None:
    """What is wrong is named by its key, in a module as in a chain."""
    said = {name: value for name, value in {**WHOLE, **changes}.items() if value is not None}
    link = [{"module": "DataStore", "flag": "required"}]
    assert (await put(door, "modules/people", PEOPLE)).status == 201
    for path, body in (("modules/x", {"kind": "files"}), ("chains/x", {"modules": link})):
        answer = await put(door, path, {**body, "principal": said})
        assert answer.status == 400, answer.text
        assert key in answer.text


async def test_a_principal_that_is_no_object(door: Door) -> None:
    """A 400 that says so."""
    answer = await put(door, "modules/x", {"kind": "files", "principal": "users"})
    assert (answer.status, "write an object" in answer.text) == (400, True)


async def test_a_rule_that_is_too_large(door: Door) -> None:
    """A chain is bounded as a module is."""
    table = {f"r{number}": ["x" * 128] * 8 for number in range(100)}
    assert len(str(table)) > MAX_MODULE_BYTES
    principal = {"roles": {"claim": "x", "permissions": table}}
    link = [{"module": "DataStore", "flag": "required"}]
    for path, body in (("modules/x", {"kind": "files"}), ("chains/x", {"modules": link})):
        answer = await put(door, path, {**body, "principal": principal})
        assert (answer.status, "bytes at most" in answer.text) == (400, True)


async def test_the_directory_must_be_there_and_be_one(door: Door) -> None:
    """A rule names an LDAP module of its realm, which stays one for as long as it is named."""
    principal = {"directory": "module|people"}
    asking = {"kind": "files", "principal": principal}
    link = [{"module": "DataStore", "flag": "required"}]
    chain = {"modules": link, "principal": principal}
    for path, body in (("modules/x", asking), ("chains/x", chain)):
        answer = await put(door, path, body)
        assert (answer.status, "people" in answer.text) == (409, True)
        assert (await put(door, "modules/people", {"kind": "files"})).status in (200, 201)
        answer = await put(door, path, body)
        assert (answer.status, "kind ldap" in answer.text) == (409, True)
        assert (await put(door, "modules/people", PEOPLE)).status == 200
        assert (await put(door, path, body)).status == 201
        assert (await put(door, "modules/people", {"kind": "files"})).status == 409
        headers = await door.admin()
        gone = await door.request("DELETE", f"{PATH}/modules/people", headers=headers)
        assert gone.status == 409
        await door.request("DELETE", f"{PATH}/{path}", headers=headers)
        gone = await door.request("DELETE", f"{PATH}/modules/people", headers=headers)
        assert gone.status == 200


async def test_a_changed_rule_counts_at_once(door: Door) -> None:
    """The next login sees it; the module itself stayed as it was."""
    await door.publish(instance("app", USERNAME="module|x"))
    for front_ends, status in ((["app"], 200), ([], 401), (["*"], 200)):
        principal = {"allowed_front_ends": front_ends}
        assert (await put(door, "modules/x", {"kind": "files", "principal": principal})).status in (
            200,
            201,
        )
        answer = await door.translate(user_input(), ID_TOKEN, instance="app")
        assert answer.status == status


async def test_without_a_directory_a_login_stands_for_itself(
    tmp_path: Path, planted: Planted, said: list[str]
) -> None:
    """Its own claims are checked, give permissions and stay; the account is the login's."""
    principal = {
        "require": [{"claim": "mail", "matches": "*@example.com"}],
        "roles": {"claim": "duties", "permissions": {"clerk": ["order.read"]}},
    }
    file = authentication_file(tmp_path, module("login", "files", principal))
    async with doors.opened(tmp_path / "state", planted, **file) as door:
        await door.publish(instance("app", USERNAME="module|login"))
        for name, mail, status in (("kim", "k@example.com", 200), ("lee", "l@x.com", 401)):
            await door.add_user(name, attributes={"mail": (mail,), "duties": ("clerk",)})
            answer = await door.translate(user_input(name=name), ID_TOKEN, instance="app")
            assert answer.status == status
        assert door.audit()[-2]["principal"] == "kim"


async def test_the_audit_says_who_logged_in(
    tmp_path: Path, planted: Planted, said: list[str]
) -> None:
    """Beside the principal that is used, for a module and for a chain."""
    principal = {"directory": "users", "search": [{"claim": "nick"}]}
    file = authentication_file(
        tmp_path,
        module("login", "files", principal)
        + chain("whole", "login")
        + chain("resolved", "DataStore", principal=principal),
    )
    targets = {"a": "module|login", "b": "service|whole", "c": "service|resolved"}
    async with doors.opened(tmp_path / "state", planted, **file) as door:
        await door.publish(*(instance(name, USERNAME=to) for name, to in targets.items()))
        await door.add_user("kim", attributes={"nick": ("demo",)})
        for element in targets:
            answer = await door.translate(user_input(name="kim"), ID_TOKEN, instance=element)
            assert answer.status == 200
            line = door.audit()[-1]
            assert line["principal"] == "demo"
            assert "logged in as kim" in line["vouched_by"]


@pytest.mark.parametrize("target", [("module", "login"), ("service", "whole")])
async def test_a_trial_says_whom_a_login_stands_for(
    tmp_path: Path, planted: Planted, said: list[str], target: tuple[str, str]
) -> None:
    """Step by step, as ``remint auth test`` does, for a module and for a chain."""
    principal = {"directory": "users", "search": [{"claim": "nick"}]}
    file = authentication_file(
        tmp_path,
        module("login", "files", principal) + chain("whole", "DataStore", principal=principal),
    )
    async with doors.opened(tmp_path / "state", planted, **file) as door:
        await door.add_user("kim", attributes={"nick": ("demo",)})
        found = door.broker.components.authentication.named("/", AuthTarget(*target))
        login = Evidence("/", 0.0, "kim", Secret(USER_PASSWORD))
        tried = await trial.tried(found, login, unanswered)
        assert tried.identity is not None
        assert (tried.identity.name, tried.identity.foreign) == ("demo", None)
        [step] = tried.steps
        [(name, _)] = trial.links_of(found)
        assert (step.module, step.verdict) == (name, "passed")


async def unanswered(prompts: tuple[Prompt, ...]) -> dict[str, Secret]:
    """For what asks nothing back."""
    raise AssertionError(prompts)


@pytest.mark.parametrize(
    ("pattern", "text", "matched"),
    [
        ("*", "", True),
        ("a*a", "a", False),
        ("a*a", "aa", True),
        ("*b*b*", "b", False),
        ("*b*b*", "abab", True),
        ("a*b*c", "acbbc", True),
        ("a*bc*c", "abc", False),
        ("abc", "abc", True),
        ("abc", "abcd", False),
        ("", "a", False),
        ("a.c", "abc", False),
        ("*a" * 500 + "b", "a" * 4096, False),
    ],
)
def test_asterisks_stand_for_any_text(pattern: str, text: str, matched: bool) -> None:
    """And for nothing else than that, at once."""
    assert matches(pattern, text) is matched

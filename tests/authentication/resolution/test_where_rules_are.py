"""Where a rule may stand, and for which front ends it holds."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tests.authentication.pages import snippets
from tests.authentication.resolution.world import (
    BY_MAIL,
    ROLES,
    both,
    broker,
    chain,
    directory,
    instance,
    module,
    refused,
)
from tests.support.door import ID_TOKEN, user_input
from tests.support.issuers import id_token, token_input, trust
from tests.support.planted import USER_PASSWORD, Planted
from tests.support.slapd import Slapd

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("slapd")]


@pytest.mark.parametrize(
    ("allowed", "admitted"),
    [
        (["app"], {"app"}),
        (["other-too"], {"other-too"}),
        (["app", "app-too"], {"app", "app-too"}),
        (["*"], {"app", "other", "app-too", "other-too"}),
        ([], set()),
        (["APP"], set()),
    ],
)
async def test_front_ends(
    tmp_path: Path,
    planted: Planted,
    said: list[str],
    allowed: list[str],
    admitted: set[str],
) -> None:
    """A module, or a chain, is for the instances that it names; an empty list names none."""
    rule = {"allowed_front_ends": allowed}
    async with broker(
        tmp_path,
        planted,
        module("login", "files", rule) + chain("whole", "DataStore", principal=rule),
        *(
            instance(f"{element}{end}", USERNAME=target)
            for element in ("app", "other")
            for end, target in (("", "module|login"), ("-too", "service|whole"))
        ),
    ) as door:
        found = set()
        for element in ("app", "other", "app-too", "other-too"):
            answer = await door.translate(user_input(), ID_TOKEN, instance=element)
            assert answer.status in (200, 401)
            found |= {element} if answer.status == 200 else set()
        assert found == admitted


async def test_the_front_end_of_sessions(tmp_path: Path, planted: Planted, said: list[str]) -> None:
    """A login at /json/authenticate is for no instance, and is named by its path."""
    async with broker(
        tmp_path,
        planted,
        module("login", "files", {"allowed_front_ends": ["/json/authenticate"]})
        + module("apps", "files", {"allowed_front_ends": ["app"]}),
        instance("app", USERNAME="module|login"),
    ) as door:
        head = {"X-OpenAM-Username": "demo", "X-OpenAM-Password": USER_PASSWORD}
        for name, status in (("login", 200), ("apps", 401)):
            path = f"/json/authenticate?authIndexType=module&authIndexValue={name}"
            assert (await door.request("POST", path, headers=head)).status == status
        assert "front end" in await refused(door, user_input())


async def test_a_chain_is_resolved_as_a_whole(
    tmp_path: Path, planted: Planted, said: list[str], slapd: Slapd
) -> None:
    """What the modules of a chain agree on is looked up once they have."""
    toml = (
        directory(slapd)
        + module("login", "files")
        + chain("whole", "login", principal={**BY_MAIL, "roles": ROLES})
    )
    async with broker(tmp_path, planted, toml, instance("app", USERNAME="service|whole")) as door:
        await door.add_user("kim", attributes={"mail": ("grace@example.com",)})
        found = await both(door, user_input(name="kim"))
        assert (found["sub"], found["account"]) == ("grace", "auth://people#grace")
        assert (
            "Authentication Failed"
            in (await door.translate(user_input("wrong", "kim"), ID_TOKEN, instance="app")).text
        )


async def test_the_pages_example(
    tmp_path: Path, planted: Planted, said: list[str], slapd: Slapd
) -> None:
    """The first example of the page: an ID token for a sub-identity, with the permissions of the
    main one."""
    people, portal = tomllib.loads(snippets("auth-principals.md")[0])["module"]
    attributes = {"attributes": people["attributes"], "name": people["name"]}
    toml = directory(slapd, **attributes) + module(
        portal["name"], portal["kind"], portal["principal"]
    )
    app = instance("payroll", OPENIDCONNECT="module|portal")
    async with broker(tmp_path, planted, toml, app) as door:
        await trust(door)
        token = id_token(
            email="grace.admin@example.com", email_verified=True, preferred_username="gracie"
        )
        assert await both(door, token_input(token), "payroll") == {
            "sub": "grace",
            "mail": ["grace@example.com"],
            "permissions": ["order.approve", "order.read"],
            "actedBy": ["gracie"],
            "account": "auth://people#grace",
        }

"""What a token says of whom a login stands for: permissions, who acted, claims that are kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.authentication.resolution.world import (
    BY_MAIL,
    BY_NUMBER,
    ROLES,
    ROLES_BY_CLAIM,
    TO_MAIN,
    both,
    broker,
    chain,
    directory,
    instance,
    module,
    refused,
    resolving,
)
from tests.support.door import user_input
from tests.support.issuers import IDP, id_token, token_input, trust
from tests.support.planted import Planted
from tests.support.slapd import Slapd

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("slapd")]


async def test_roles_become_permissions(
    tmp_path: Path, planted: Planted, said: list[str], slapd: Slapd
) -> None:
    """The union of what the known roles give, sorted; who has none of them is refused, unless
    roles are not required; claims of the login never pass for permissions."""
    asked = module("login", "files", {**BY_MAIL, "roles": ROLES})
    lenient = module(
        "lenient",
        "files",
        {**BY_MAIL, "roles": {**ROLES, "required": False}, "keep_claims": ["permissions"]},
    )
    async with broker(
        tmp_path,
        planted,
        directory(slapd) + asked + lenient,
        instance("app", USERNAME="module|login"),
        instance("open", USERNAME="module|lenient"),
    ) as door:
        forged = {"permissions": ("system.restart",)}
        await door.add_user("kim", attributes={"mail": ("grace@example.com",), **forged})
        await door.add_user("lee", attributes={"mail": ("silent@example.com",), **forged})
        for element in ("app", "open"):
            found = await both(door, user_input(name="kim"), element)
            assert found["permissions"] == ["article.read", "order.approve", "order.read"]
        assert "no role of this login" in await refused(door, user_input(name="lee"))
        assert "permissions" not in await both(door, user_input(name="lee"), "open")


async def test_roles_by_groups(
    tmp_path: Path, planted: Planted, said: list[str], slapd: Slapd
) -> None:
    """Groups that the directory's module reads can be roles, under their name in the profile."""
    roles = {"attribute": "groups", "permissions": {"approvers": ["order.approve"]}}
    groups = {"from": "member", "search_bases": ["ou=groups,dc=example,dc=com"]}
    toml = resolving(slapd, {**BY_MAIL, "roles": roles}, groups=groups)
    async with broker(tmp_path, planted, toml) as door:
        await door.add_user("kim", attributes={"mail": ("grace@example.com",)})
        assert (await both(door, user_input(name="kim")))["permissions"] == ["order.approve"]


async def test_more_permissions_than_are_issued(
    tmp_path: Path, planted: Planted, said: list[str], slapd: Slapd
) -> None:
    """Half of somebody's permissions may be worse than none: the login is refused."""
    many = {
        "approver": [f"a{number}" for number in range(256)],
        "reader": [f"r{number}" for number in range(256)],
    }
    roles = {"attribute": "employeeType", "permissions": many}
    async with broker(tmp_path, planted, resolving(slapd, {**BY_MAIL, "roles": roles})) as door:
        await door.add_user("kim", attributes={"mail": ("grace@example.com",)})
        assert "more than 500 permissions" in await refused(door, user_input(name="kim"))


async def test_who_acted_is_told_apart(
    tmp_path: Path, planted: Planted, said: list[str], slapd: Slapd
) -> None:
    """The login's name, or a claim of it, goes out beside the subject it stands for."""
    by_name = {**TO_MAIN, "attribution_attribute": "acted_by"}
    by_claim = {**by_name, "attribution_claim": "nick"}
    async with broker(
        tmp_path,
        planted,
        directory(slapd) + module("login", "files", by_name) + module("nick", "files", by_claim),
        instance("app", USERNAME="module|login"),
        instance("nicked", USERNAME="module|nick"),
    ) as door:
        kim = {"mail": ("grace.admin@example.com",), "nick": ("kimmy",)}
        await door.add_user("kim", attributes=kim)
        await door.add_user("lee", attributes={"mail": ("grace@example.com",)})
        found = await both(door, user_input(name="kim"))
        assert (found["sub"], found["actedBy"]) == ("grace", ["kim"])
        found = await both(door, user_input(name="kim"), "nicked")
        assert (found["sub"], found["actedBy"]) == ("grace", ["kimmy"])
        assert "who acted" in await refused(door, user_input(name="lee"), "nicked")


async def test_claims_that_are_kept(
    tmp_path: Path, planted: Planted, said: list[str], slapd: Slapd
) -> None:
    """A claim of the login is in the token if the rule keeps it and the directory has no attribute
    of the name."""
    kept = {**BY_NUMBER, "keep_claims": ["mail", "acted_by"]}
    async with broker(tmp_path, planted, resolving(slapd, kept)) as door:
        claims = {"mail": ("kim@x.com",), "acted_by": ("k",), "permissions": ("all",)}
        await door.add_user("kim", attributes={"number": ("1906",), **claims})
        found = await both(door, user_input(name="kim"))
        assert (found["mail"], found["actedBy"]) == (["grace@example.com"], ["k"])
        assert "permissions" not in found


async def test_claims_that_are_objects_do_no_harm(
    tmp_path: Path, planted: Planted, said: list[str], slapd: Slapd
) -> None:
    """They are no attributes, in a chain that adds the directory's to them as in a rule without a
    directory."""
    toml = (
        directory(slapd, "lookup", mode="lookup", lookup_attribute="email")
        + module("tokens", "oidc", {"roles": ROLES_BY_CLAIM})
        + chain("both", "tokens", "lookup")
    ).replace('kind = "ldap"', 'kind = "ldap"\nlogin_attributes = ["mail"]')
    app = instance("app", OPENIDCONNECT="service|both")
    async with broker(tmp_path, planted, toml, app) as door:
        await trust(door)
        said_by_issuer = {"groups": ["staff"], "address": {"country": "US"}, "sub": "g1"}
        given = token_input(id_token(email="grace@example.com", **said_by_issuer))
        found = await both(door, given)
        assert (found["sub"], found["permissions"]) == (f"{IDP}#g1", ["order.read"])
        assert found["mail"] == ["grace@example.com"]

"""For whom a login may stand: accounts, values, and the way to the main identity."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.authentication.resolution.world import (
    BY_MAIL,
    ROLES,
    TO_MAIN,
    both,
    broker,
    refused,
    resolving,
)
from tests.support.door import ID_TOKEN, user_input
from tests.support.planted import Planted
from tests.support.slapd import Slapd

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("slapd")]


@pytest.mark.parametrize(
    ("condition", "admitted"),
    [
        ({"enabled_by": {"attribute": "accountStatus", "values": ["ACTIVE"]}}, {"grace"}),
        ({"disabled_by": {"attribute": "accountStatus", "values": ["Left"]}}, {"grace", "silent"}),
        (
            {"disabled_by": {"attribute": "userAccountControl", "bit": 2}},
            {"grace", "left", "silent"},
        ),
    ],
)
async def test_enabled_and_disabled_accounts(
    tmp_path: Path,
    planted: Planted,
    said: list[str],
    slapd: Slapd,
    condition: dict[str, Any],
    admitted: set[str],
) -> None:
    """Values are compared in any case; who has no such value is not enabled, and not disabled."""
    async with broker(tmp_path, planted, resolving(slapd, {**BY_MAIL, **condition})) as door:
        found = set()
        for name in ("grace", "left", "silent", "bob"):
            await door.add_user(name, attributes={"mail": (f"{name}@example.com",)})
            answer = await door.translate(user_input(name=name), ID_TOKEN, instance="app")
            found |= {name} if answer.status == 200 else set()
        assert found == admitted


@pytest.mark.parametrize(
    ("check", "admitted"),
    [
        ({"attribute": "departmentNumber", "values": ["it", "hr"]}, {"kim"}),
        ({"attribute": "departmentNumber", "values": ["IT"]}, set()),
        ({"attribute": "departmentNumber", "matches": "i*"}, {"kim"}),
        ({"claim": "verified", "values": ["true"]}, {"kim", "lee"}),
        ({"claim": "verified", "values": ["false"]}, set()),
        ({"claim": "unsaid", "matches": "*"}, set()),
        ({"attribute": "mail", "matches": "*@example.com"}, {"kim", "lee"}),
        ({"attribute": "mail", "matches": "*@*.example.com"}, set()),
        ({"attribute": "groups", "values": ["approvers"]}, {"kim"}),
        ({"attribute": "dn", "matches": "uid=grace,*"}, {"kim"}),
        ({"matches": "k*m"}, {"kim"}),
    ],
)
async def test_value_checks(
    tmp_path: Path,
    planted: Planted,
    said: list[str],
    slapd: Slapd,
    check: dict[str, Any],
    admitted: set[str],
) -> None:
    """A claim of the login, an attribute of the directory, groups or the login's name must have one
    of the values to the letter, or match; what is not there is no match."""
    toml = resolving(
        slapd,
        {**BY_MAIL, "require": [check]},
        groups={"from": "member", "search_bases": ["ou=groups,dc=example,dc=com"]},
    )
    async with broker(tmp_path, planted, toml) as door:
        verified = ("true",)
        await door.add_user(
            "kim", attributes={"mail": ("grace@example.com",), "verified": verified}
        )
        await door.add_user(
            "lee", attributes={"mail": ("silent@example.com",), "verified": verified}
        )
        found = set()
        for name in ("kim", "lee"):
            answer = await door.translate(user_input(name=name), ID_TOKEN, instance="app")
            found |= {name} if answer.status == 200 else set()
        assert found == admitted


async def test_all_value_checks_must_hold(
    tmp_path: Path, planted: Planted, said: list[str], slapd: Slapd
) -> None:
    """One that fails is enough to refuse."""
    checks = [{"attribute": "mail", "matches": "*"}, {"attribute": "mail", "values": ["x"]}]
    async with broker(tmp_path, planted, resolving(slapd, {**BY_MAIL, "require": checks})) as door:
        await door.add_user("kim", attributes={"mail": ("grace@example.com",)})
        why = await refused(door, user_input(name="kim"))
        assert "the attribute mail is not what it must be" in why


@pytest.mark.parametrize(
    ("principal", "subject"),
    [
        ({**TO_MAIN, "use": "sub"}, "grace.admin"),
        (TO_MAIN, "grace"),
        (
            {
                **BY_MAIL,
                "main_identity_attribute": "title",
                "main_identity_key": "employeeNumber",
                "use": "main",
            },
            "grace",
        ),
    ],
)
async def test_main_or_sub_identity(
    tmp_path: Path,
    planted: Planted,
    said: list[str],
    slapd: Slapd,
    principal: dict[str, Any],
    subject: str,
) -> None:
    """The switch says which of both a login is; the pointer names an entry, or a value of one.
    Permissions are those of the identity that is used."""
    async with broker(tmp_path, planted, resolving(slapd, {**principal, "roles": ROLES})) as door:
        await door.add_user("kim", attributes={"mail": ("grace.admin@example.com",)})
        found = await both(door, user_input(name="kim"))
        permissions = {
            "grace": ["article.read", "order.approve", "order.read"],
            "grace.admin": ["system.restart"],
        }
        assert (found["sub"], found["permissions"]) == (subject, permissions[subject])
        assert found["account"] == f"auth://people#{subject}"


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("grace", "grace"),
        ("deputy", "grace"),
        ("deep3", "grace"),
        ("deep4", "more than 5 steps away"),
        ("of.left", "accountStatus says so"),
        ("of.nobody", "the main identity is missing"),
        ("of.service", "the main identity is missing"),
        ("of.two", "more than one main identity"),
        ("round", "round in a circle"),
        ("self", "round in a circle"),
    ],
)
async def test_the_way_to_the_main_identity(
    tmp_path: Path, planted: Planted, said: list[str], slapd: Slapd, name: str, outcome: str
) -> None:
    """Over several steps to the end; circles, several, missing and disabled ones, and entries that
    the module may not find, are refused."""
    disabled = {"disabled_by": {"attribute": "accountStatus", "values": ["left"]}}
    async with broker(tmp_path, planted, resolving(slapd, {**TO_MAIN, **disabled})) as door:
        await door.add_user("kim", attributes={"mail": (f"{name}@example.com",)})
        if outcome == "grace":
            assert (await both(door, user_input(name="kim")))["sub"] == "grace"
        else:
            assert outcome in await refused(door, user_input(name="kim"))

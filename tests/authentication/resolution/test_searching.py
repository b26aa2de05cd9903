"""For whom a login stands: searched by a claim of it, in a directory or among local users."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.authentication.resolution.world import (
    BY_MAIL,
    GRACE_SID,
    both,
    broker,
    directory,
    dn,
    instance,
    module,
    refused,
    resolving,
)
from tests.support.door import ID_TOKEN, user_input
from tests.support.planted import Planted
from tests.support.slapd import PEOPLE, SERVICE_DN, Slapd

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("slapd")]


async def test_a_login_stands_for_the_person_that_it_finds(
    tmp_path: Path, planted: Planted, said: list[str], slapd: Slapd
) -> None:
    """Name, account and attributes are the directory's; nothing of the login is in the token."""
    async with broker(tmp_path, planted, resolving(slapd, BY_MAIL)) as door:
        await door.add_user(
            "kim", attributes={"mail": ("grace@example.com",), "permissions": ("all",)}
        )
        assert await both(door, user_input(name="kim")) == {
            "sub": "grace",
            "mail": ["grace@example.com"],
            "account": "auth://people#grace",
        }


async def test_searches_are_tried_in_order(
    tmp_path: Path, planted: Planted, said: list[str], slapd: Slapd
) -> None:
    """The first that finds anybody counts; one whose claim is not there is passed over."""
    principal = {
        "directory": "module|people",
        "search": [
            {"claim": "mail", "attribute": "mail"},
            {"claim": "number", "attribute": "employeeNumber"},
            {"attribute": "sAMAccountName"},
            {},
        ],
    }
    async with broker(tmp_path, planted, resolving(slapd, principal)) as door:
        both_ways = {"mail": ("grace@example.com",), "number": ("9001",)}
        await door.add_user("by.mail", attributes=both_ways)
        await door.add_user("by.number", attributes={"number": ("9001",)})
        await door.add_user(
            "by.number.too", attributes={"mail": ("none@example.com",), "number": ("1906",)}
        )
        await door.add_user("ghopper")
        await door.add_user("deputy")
        found = [
            (await both(door, user_input(name=name)))["sub"]
            for name in ("by.mail", "by.number", "by.number.too", "ghopper", "deputy")
        ]
        assert found == ["grace", "grace.admin", "grace", "grace", "deputy"]


REFUSED = {
    "nobody": ({"mail": ("none@example.com",)}, "nobody in the directory"),
    "no claim": ({}, "nobody in the directory"),
    "several": ({"mail": ("twin@example.com",)}, "several in the directory"),
    "two values": ({"mail": ("grace@example.com", "x@example.com")}, "has 2 values, not one"),
    "blank": ({"mail": (" ",)}, "nothing that can be looked for"),
    "overlong": ({"mail": ("x" * 257,)}, "nothing that can be looked for"),
    "unprintable": ({"mail": ("grace@example.com\u202e",)}, "nothing that can be looked for"),
    "a wildcard": ({"mail": ("grace*",)}, "nobody in the directory"),
    "a filter": ({"mail": ("x)(uid=grace",)}, "nobody in the directory"),
    "an alternative": ({"mail": ("*)(|(uid=grace)",)}, "nobody in the directory"),
    "an escape": ({"mail": ("\\67race@example.com",)}, "nobody in the directory"),
}


async def test_exactly_one_hit_counts(
    tmp_path: Path, planted: Planted, said: list[str], slapd: Slapd
) -> None:
    """Nobody, several, and values that are none are refused alike, and the audit says why; a value
    is never part of a filter."""
    async with broker(tmp_path, planted, resolving(slapd, BY_MAIL)) as door:
        for number, (attributes, why) in enumerate(REFUSED.values()):
            await door.add_user(f"kim{number}", attributes=attributes)
            assert why in await refused(door, user_input(name=f"kim{number}")), attributes


async def test_several_are_not_passed_over(
    tmp_path: Path, planted: Planted, said: list[str], slapd: Slapd
) -> None:
    """A search that finds two ends the asking, even if the next one would find one."""
    searches = [*BY_MAIL["search"], {"claim": "number", "attribute": "employeeNumber"}]
    async with broker(tmp_path, planted, resolving(slapd, {**BY_MAIL, "search": searches})) as door:
        await door.add_user("kim", attributes={"mail": ("twin@example.com",), "number": ("1906",)})
        assert "several in the directory" in await refused(door, user_input(name="kim"))


async def test_other_ways_of_searching(
    tmp_path: Path, planted: Planted, said: list[str], slapd: Slapd
) -> None:
    """By the name of an entry, by a SID, and by whatever the directory's own logins go by; never
    in a directory whose filter says itself where a login goes."""
    searches = {
        "by_dn": {"claim": "found", "attribute": "dn"},
        "by_sid": {"claim": "found", "attribute": "objectSid"},
        "by_login": {"claim": "found"},
        "by_filter": {"claim": "found", "attribute": "uid"},
    }
    forms = {
        "login_forms": ["name", "upn", "domain", "sid"],
        "domains": {"CORP": PEOPLE, "corp.example.com": PEOPLE},
    }
    toml = directory(slapd, **forms)
    toml += directory(slapd, "filtered", filter="(uid={login})")
    for name, search in searches.items():
        people = "filtered" if name == "by_filter" else "people"
        toml += module(name, "files", {"directory": f"module|{people}", "search": [search]})
    apps = [instance(name, USERNAME=f"module|{name}") for name in searches]
    async with broker(tmp_path, planted, toml, *apps) as door:
        for name, value in (
            ("by_dn", dn("grace")),
            ("by_sid", GRACE_SID),
            ("by_login", GRACE_SID),
            ("by_login", "CORP\\ghopper"),
            ("by_login", "grace@corp.example.com"),
            ("by_login", "grace"),
        ):
            await door.add_user("kim", attributes={"found": (value,)})
            assert (await both(door, user_input(name="kim"), name))["sub"] == "grace", name
        for name, value, why in (
            ("by_dn", SERVICE_DN, "nobody"),
            ("by_dn", "grace", "nobody"),
            ("by_sid", "S-1-5-21-1-2-3-1003", "nobody"),
            ("by_login", "OTHER\\ghopper", "domain"),
            ("by_filter", "grace", "{login}"),
        ):
            await door.add_user("kim", attributes={"found": (value,)})
            assert why in await refused(door, user_input(name="kim"), name), (name, value)


async def test_a_directory_that_links_to_local_users(
    tmp_path: Path, planted: Planted, said: list[str], slapd: Slapd
) -> None:
    """What the directory's module says of its own logins counts here too: the subject is the local
    user of the name, who must be there and active."""
    async with broker(tmp_path, planted, resolving(slapd, BY_MAIL, link_local_users=True)) as door:
        await door.add_user("kim", attributes={"mail": ("grace@example.com",)})
        assert "no active local user" in await refused(door, user_input(name="kim"))
        await door.add_user("grace")
        assert (await both(door, user_input(name="kim")))["account"] == "grace"


async def test_local_users_as_directory(tmp_path: Path, planted: Planted, said: list[str]) -> None:
    """The realm's own users are looked up by name or attribute, and stay themselves; one that is
    not active is nobody."""
    principal = {
        "directory": "users",
        "search": [{"claim": "number", "attribute": "number"}, {"claim": "nick"}],
        "main_identity_attribute": "main",
        "use": "main",
        "roles": {"attribute": "duties", "permissions": {"clerk": ["order.read"]}},
    }
    async with broker(tmp_path, planted, module("login", "files", principal)) as door:
        await door.add_user("kim", attributes={"nick": ("lee",)})
        await door.add_user("sam", attributes={"number": ("7",)})
        await door.add_user("lee", attributes={"number": ("7",), "main": ("max",)})
        await door.add_user("max", attributes={"duties": ("clerk",)})
        found = await both(door, user_input(name="kim"))
        assert found == {"sub": "max", "account": "max", "permissions": ["order.read"]}
        assert "several in the directory" in await refused(door, user_input(name="sam"))
        await door.add_user("max", attributes={"duties": ("clerk",)}, active=False)
        assert "not active" in await refused(door, user_input(name="kim"))


async def test_a_dead_directory_is_a_503(
    tmp_path: Path, planted: Planted, said: list[str], own_slapd: Slapd
) -> None:
    """A login that cannot be looked up is never accepted: the caller is to ask again."""
    async with broker(tmp_path, planted, resolving(own_slapd, BY_MAIL)) as door:
        await door.add_user("kim", attributes={"mail": ("grace@example.com",)})
        assert (await both(door, user_input(name="kim")))["sub"] == "grace"
        own_slapd.kill()
        down = await door.translate(user_input(name="kim"), ID_TOKEN, instance="app")
        assert (down.status, down.headers["Retry-After"]) == (503, "1")


async def test_a_changed_directory_is_asked_at_once(
    tmp_path: Path, planted: Planted, said: list[str], slapd: Slapd
) -> None:
    """The next login is looked up in the directory as it is written now."""
    async with broker(tmp_path, planted, resolving(slapd, BY_MAIL)) as door:
        await door.add_user("kim", attributes={"mail": ("grace@example.com",)})
        assert (await both(door, user_input(name="kim")))["sub"] == "grace"
        path, head = "/json/authentication/modules/people", await door.admin()
        people = (await door.request("GET", path, headers=head)).body
        elsewhere = {**people, "search_bases": ["ou=groups,dc=example,dc=com"]}
        assert (await door.request("PUT", path, body=elsewhere, headers=head)).status == 200
        assert "nobody" in await refused(door, user_input(name="kim"))

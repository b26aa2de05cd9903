"""Groups of a person, and the groups those are in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from adapters.authentication.modules.ldap.groups import MAX_DEPTH, MAX_GROUPS
from tests.authentication.ldap.conftest import Making
from tests.authentication.ldap.logins import login, refused
from tests.support.slapd import GROUPS, PEOPLE, TREE, Slapd, running_slapd

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("slapd")]

ADA = f"uid=ada,{PEOPLE}"
SOURCES = ["member_of", "member"]


def _group(name: str, *members: str) -> str:
    lines = "\n".join(f"member: {member}" for member in members)
    return f"dn: cn={name},{GROUPS}\nobjectClass: groupOfNames\ncn: {name}\n{lines}\n"


def _dn(name: str) -> str:
    return f"cn={name},{GROUPS}"


@pytest.fixture(scope="module")
def grouped() -> Iterator[Slapd]:
    """Ada is an engineer; engineers are staff, staff is everybody and everybody is staff too."""
    with running_slapd() as running:
        running.add(
            "\n".join(
                (
                    _group("engineers", ADA),
                    _group("staff", _dn("engineers"), _dn("everybody")),
                    _group("everybody", _dn("staff")),
                    _group("others", f"uid=bob,{PEOPLE}"),
                )
            )
        )
        yield running


@pytest.mark.parametrize("source", SOURCES)
async def test_nested_groups_and_loops(grouped: Slapd, ldap: Making, source: str) -> None:
    """Groups in groups count, each once, and a loop of groups ends."""
    module = ldap(grouped, groups={"from": source, "search_bases": [GROUPS]})
    assert (await login(module)).attributes["groups"] == ("engineers", "everybody", "staff")


@pytest.mark.parametrize("source", SOURCES)
async def test_direct_groups_alone(grouped: Slapd, ldap: Making, source: str) -> None:
    """With nested = false only those count that name the person."""
    groups = {"from": source, "search_bases": [GROUPS], "nested": False, "profile": "roles"}
    found = await login(ldap(grouped, groups=groups))
    assert found.attributes["roles"] == ("engineers",)
    assert "groups" not in found.attributes


@pytest.mark.parametrize("source", SOURCES)
async def test_groups_by_their_whole_names(grouped: Slapd, ldap: Making, source: str) -> None:
    """name_attribute = "dn" gives the names of the entries."""
    groups = {"from": source, "search_bases": [GROUPS], "name_attribute": "dn"}
    found = await login(ldap(grouped, groups=groups))
    assert found.attributes["groups"] == tuple(map(_dn, ("engineers", "everybody", "staff")))


async def test_active_directorys_rule_is_asked_for(grouped: Slapd, ldap: Making) -> None:
    """The matching rule is the server's work: one that lacks it finds no group, and says no."""
    groups = {"from": "matching_rule", "search_bases": [GROUPS]}
    assert (await login(ldap(grouped, groups=groups))).attributes["groups"] == ()


@pytest.mark.parametrize("source", SOURCES)
async def test_too_deep_is_refused(ldap: Making, source: str) -> None:
    """Whose groups nobody can count is refused, instead of having some of them."""
    deep = [
        _group("g0", ADA),
        *(_group(f"g{n}", _dn(f"g{n - 1}")) for n in range(1, MAX_DEPTH + 2)),
    ]
    with running_slapd() as running:
        running.add("\n".join(deep))
        module = ldap(running, groups={"from": source, "search_bases": [GROUPS]})
        assert "deep" in await refused(module)


@pytest.mark.parametrize(
    ("source", "limit"), [("member_of", 2000), ("member", 2000), ("member", 500)]
)
async def test_too_many_are_refused(ldap: Making, source: str, limit: int) -> None:
    """So is who is in more groups than are looked at, or than the directory is willing to show."""
    many = "\n".join(_group(f"g{n}", ADA) for n in range(MAX_GROUPS + 1))
    says = "\n".join(f"memberOf: {_dn(f'g{n}')}" for n in range(MAX_GROUPS + 1))
    tree = TREE.replace("mail: countess", f"{says}\nmail: countess") + "\n" + many
    with running_slapd(tree=tree, settings=f"sizelimit {limit}\n") as running:
        module = ldap(running, groups={"from": source, "search_bases": [GROUPS]})
        assert "more" in await refused(module)

"""A directory that refers to others: nobody goes there, and who is known here still gets in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from broker.errors import Unavailable
from tests.authentication.ldap.conftest import Making
from tests.authentication.ldap.logins import login, refused
from tests.authentication.ldap.servers import serving
from tests.support.slapd import PEOPLE, TREE, running_slapd

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("slapd")]

ABROAD = f"ou=abroad,{PEOPLE}"


class Elsewhere:
    """The other directory, and how often somebody connected to it."""

    def __init__(self) -> None:
        self.url = ""
        self.met = 0

    async def told(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.met += 1
        await reader.read()


@pytest.fixture
async def elsewhere() -> AsyncIterator[Elsewhere]:
    found = Elsewhere()
    async with serving(found.told) as found.url:
        yield found


def _tree(elsewhere: Elsewhere) -> str:
    return f"""{TREE}
dn: {ABROAD}
objectClass: referral
objectClass: extensibleObject
ou: abroad
ref: {elsewhere.url}/{ABROAD}
"""


async def test_references_are_not_followed(elsewhere: Elsewhere, ldap: Making) -> None:
    """Among what is found, and for a name that somebody types, a referral leads nowhere: others
    get in, he is nobody, and the other directory hears of no password."""
    with running_slapd(tree=_tree(elsewhere)) as slapd:
        made = ldap(slapd, login_forms=["name", "dn"])
        assert (await login(made)).name == "ada"
        assert await refused(made, password="wrong") == "wrong password"
        for name in ("eve", f"uid=eve,{ABROAD}", ABROAD):
            assert await refused(made, name) == "nobody in the directory has that name"
    assert elsewhere.met == 0


async def test_a_search_base_elsewhere(elsewhere: Elsewhere, ldap: Making) -> None:
    """A search base that is in another directory is none that can be asked, and the reason says
    so."""
    with running_slapd(tree=_tree(elsewhere)) as slapd:
        made = ldap(slapd, search_bases=[ABROAD])
        with pytest.raises(Unavailable) as down:
            await login(made)
        assert f"refers to another directory for {ABROAD}" in str(down.value.detail)
    assert elsewhere.met == 0

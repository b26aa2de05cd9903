"""The first example of docs/auth-ldap.md, at a real directory, and what a wrong one is told."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest

from tests.authentication.administering import administers
from tests.authentication.ldap.conftest import Making
from tests.authentication.ldap.logins import login, refused
from tests.authentication.pages import snippets
from tests.http import judges
from tests.support import door as doors
from tests.support.authentication import authentication_file
from tests.support.door import ID_TOKEN, user_input
from tests.support.planted import Planted
from tests.support.slapd import ADA_PASSWORD, PEOPLE, SERVICE_DN, SERVICE_PASSWORD, Slapd

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("slapd")]

NOWHERE = "ou=nobody-is-here,dc=example,dc=com"


def _here(text: str, slapd: Slapd) -> str:
    """The example with this directory's address and account, and time enough."""
    for key, value in (("bind_dn", SERVICE_DN), ("bind_password", SERVICE_PASSWORD)):
        text = re.sub(rf"^{key} = .*$", f'{key} = "{value}"', text, flags=re.M)
    servers = f'servers = ["{slapd.url}"]\ntimeout = 30'
    return re.sub(r"^servers = .*$", servers, text, flags=re.M)


async def test_the_page_works(slapd: Slapd, tmp_path: Path, planted: Planted) -> None:
    """People of the directory and the broker's own get in, each as themselves; administrators
    administer, and a wrong password is nobody's."""
    settings = authentication_file(tmp_path, _here(snippets("auth-ldap.md")[0], slapd))
    async with doors.opened(tmp_path / "state", planted, **settings) as door:
        for name, password, mail in (
            ("ada", ADA_PASSWORD, "ada@example.com countess@example.com"),
            ("demo", None, "demo@example.com"),
        ):
            given = user_input(name=name) if password is None else user_input(password, name)
            told = await door.translate(given, ID_TOKEN)
            token = await judges.id_token(door, told.body["issued_token"], "RS256")
            assert (token.claims["sub"], token.claims["email"]) == (name, mail)
        principals = {each.principal for each in await door.tokens()}
        assert principals == {"auth://corp#ada", "demo"}
        await administers(door)
        for name in ("ada", "admin", "nobody"):
            assert (await door.translate(user_input("wrong", name), ID_TOKEN)).status == 401


async def test_a_search_base_that_is_not_there(
    slapd: Slapd, ldap: Making, caplog: pytest.LogCaptureFixture
) -> None:
    """A base that the directory does not show has nobody in it, and the log names it once; what
    people type is no base and is not in the log."""
    made = ldap(slapd, search_bases=[NOWHERE, PEOPLE], login_forms=["name", "dn"])
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert (await login(made)).name == "ada"
            await refused(made, f"uid=nobody,{PEOPLE}")
    named = [each.getMessage() for each in caplog.records if NOWHERE in each.getMessage()]
    assert len(named) == 1
    assert "uid=nobody" not in caplog.text

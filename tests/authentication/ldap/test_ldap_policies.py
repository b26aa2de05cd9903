"""Why a directory refuses a right or wrong password: told to the audit, never to the caller."""

from __future__ import annotations

import asyncio
import time

import pytest

from broker.errors import AuthenticationFailed
from tests.authentication.ldap.conftest import Making
from tests.authentication.ldap.logins import login, refused
from tests.support.slapd import ADA_PASSWORD, PEOPLE, SUFFIX, Slapd

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("slapd")]

ADA = f"uid=ada,{PEOPLE}"
PATIENCE = 30.0
POLICY = f"cn=default,ou=policies,{SUFFIX}"


def _policy(slapd: Slapd, **rules: str) -> None:
    changes = "\n-\n".join(f"replace: {name}\n{name}: {value}" for name, value in rules.items())
    slapd.modify(f"dn: {POLICY}\nchangetype: modify\n{changes}\n")


def _reset(slapd: Slapd) -> None:
    """An administrator gives Ada her password anew."""
    slapd.modify(
        f"dn: {ADA}\nchangetype: modify\nreplace: userPassword\nuserPassword: {ADA_PASSWORD}\n"
    )


async def test_a_locked_account(own_slapd: Slapd, ldap: Making) -> None:
    """After too many wrong passwords the right one is refused, and the audit knows why."""
    _policy(own_slapd, pwdLockout="TRUE", pwdMaxFailure="3")
    module = ldap(own_slapd)
    for _ in range(3):
        assert await refused(module, password="wrong") == "wrong password"
    assert await refused(module) == "the account is locked"
    assert not own_slapd.bound(ADA, ADA_PASSWORD)


async def test_a_password_that_must_be_changed(own_slapd: Slapd, ldap: Making) -> None:
    """The directory accepts such a bind for a change of the password alone; here it is no login."""
    _reset(own_slapd)
    assert own_slapd.bound(ADA, ADA_PASSWORD)
    assert await refused(ldap(own_slapd)) == "the password must be changed first"


async def test_an_expired_password(
    own_slapd: Slapd, ldap: Making, caplog: pytest.LogCaptureFixture
) -> None:
    """Grace logins are logins, told in the log; once none is left the password is refused."""
    _policy(own_slapd, pwdMustChange="FALSE", pwdMaxAge="1", pwdGraceAuthnLimit="2")
    _reset(own_slapd)
    module = ldap(own_slapd)
    caplog.set_level("INFO")
    why = None
    deadline = time.monotonic() + PATIENCE
    while why is None:
        assert time.monotonic() < deadline
        try:
            assert (await login(module)).name == "ada"
            await asyncio.sleep(0.05)
        except AuthenticationFailed as error:
            why = error.detail
    assert why == "the password has expired"
    told = [record.getMessage() for record in caplog.records]
    assert [each.partition("expired; ")[2] for each in told if "grace" in each] == [
        "grace logins left: 1",
        "grace logins left: 0",
    ]
    assert not [each for each in told if "ada" in each]

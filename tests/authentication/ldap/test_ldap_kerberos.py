"""The broker's own account by Kerberos (SASL GSSAPI, RFC 4752)."""

from __future__ import annotations

import pytest

from broker.errors import Unavailable
from tests.authentication.ldap.conftest import Making
from tests.authentication.ldap.logins import login, refused
from tests.support.kdc import REALM, running_kdc
from tests.support.slapd import SERVICE_DN, running_slapd

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("slapd")]

ACCOUNT = {"bind": "gssapi", "bind_dn": None, "bind_password": None, "bind_principal": "remint"}
SETTINGS = f"""
sasl-host localhost
sasl-realm {REALM}
authz-regexp "^uid=remint,.*cn=gssapi,cn=auth$" "{SERVICE_DN}"
"""


async def test_an_account_by_keytab(ldap: Making, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a key of its own the broker searches without a password; with another's it is down."""
    with running_kdc() as kdc:
        for name, value in kdc.environment.items():
            monkeypatch.setenv(name, value)
        service = kdc.keytab(f"ldap/localhost@{REALM}", "ldap.keytab")
        environment = {**kdc.environment, "KRB5_KTNAME": str(service)}
        with running_slapd(settings=SETTINGS, environment=environment) as slapd:
            key = kdc.keytab(f"remint@{REALM}", "remint.keytab")
            (slapd.folder / "remint.keytab").write_bytes(key.read_bytes())
            url = slapd.url.replace("127.0.0.1", "localhost")
            module = ldap(slapd, url, **ACCOUNT, keytab_file="remint.keytab")
            assert (await login(module)).name == "ada"
            assert await refused(module, password="wrong") == "wrong password"

            (slapd.folder / "other.keytab").write_bytes(service.read_bytes())
            stranger = ldap(slapd, url, **ACCOUNT, keytab_file="other.keytab")
            with pytest.raises(Unavailable) as down:
                await login(stranger)
            assert "Kerberos does not work" in str(down.value.detail)

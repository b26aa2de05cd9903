"""What a module's document may say, and what is wrong with others."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.authentication.ldap.logins import document
from tests.support.authentication import parts, tried
from tests.support.pki import root
from tests.support.slapd import SERVICE_PASSWORD

SERVER = "ldaps://ldap.example.com"


class _Nowhere:
    url = SERVER


def _problems(folder: Path, **more: Any) -> dict[str, str]:
    said = {"servers": [SERVER], "ca_file": None, **more}
    _, problems = tried(document(_Nowhere(), **said), parts(folder))  # type: ignore[arg-type]
    return dict(problems)


def test_a_plain_document(tmp_path: Path) -> None:
    """What the manual shows as the least is enough."""
    assert _problems(tmp_path, attributes=None, timeout=None) == {}


@pytest.mark.parametrize(
    ("key", "more"),
    [
        ("servers", {"servers": []}),
        ("servers", {"servers": ["http://ldap.example.com"]}),
        ("servers", {"servers": ["ldaps://user@ldap.example.com"]}),
        ("servers", {"servers": ["ldaps://ldap.example.com/dc=example"]}),
        ("servers", {"servers": ["ldaps://ldap.example.com:70000"]}),
        ("servers", {"servers": ["ldaps://"]}),
        ("servers", {"servers": ["ldapi://relative"]}),
        ("servers", {"servers": [SERVER] * 9}),
        ("servers", {"servers": ["ldap://ldap.example.com"]}),
        ("bind_dn", {"bind_dn": None}),
        ("bind_password", {"bind_password": None}),
        ("bind_password", {"bind_password": ""}),
        ("bind_dn", {"bind_dn": "remint"}),
        ("bind_dn", {"bind": "anonymous"}),
        ("bind", {"bind": "external", "bind_dn": None, "bind_password": None}),
        ("bind", {"bind": "trust"}),
        ("ca_file", {"ca_file": "../authority.pem"}),
        ("ca_file", {"ca_file": "/etc/ssl/certs/ca-certificates.crt"}),
        ("ca_file", {"ca_file": "missing.pem"}),
        ("ca_file", {"ca_file": "text.pem"}),
        ("client_key_file", {"client_certificate_file": "text.pem"}),
        (
            "client_certificate_file",
            {"client_certificate_file": "text.pem", "client_key_file": "text.pem"},
        ),
        ("search_bases", {"search_bases": []}),
        ("search_bases", {"search_bases": ["people"]}),
        ("scope", {"scope": "everything"}),
        ("login_attributes", {"login_attributes": ["uid)(cn=*"]}),
        ("filter", {"filter": "(uid={login}"}),
        ("filter", {"filter": "uid={login}"}),
        ("filter", {"filter": "(&(uid={login})(a=\\zz))"}),
        ("filter", {"filter": "(uid={login})", "login_forms": ["dn"]}),
        ("filter", {"filter": "(" * 50}),
        ("login_forms", {"login_forms": ["email"]}),
        ("domains", {"login_forms": ["upn"]}),
        ("domains", {"domains": {"CORP": "nowhere"}}),
        ("default_domains", {"default_domains": ["CORP"]}),
        ("name_attribute", {"name_attribute": "u id"}),
        ("attributes", {"attributes": ["mail*"]}),
        ("attributes", {"attributes": {"mail": "no name"}}),
        ("enabled_by.attribute", {"enabled_by": {"values": ["yes"]}}),
        ("enabled_by.values", {"enabled_by": {"attribute": "status"}}),
        ("disabled_by.values", {"disabled_by": {"attribute": "a", "values": ["b"], "bit": 2}}),
        ("groups.from", {"groups": {"from": "guessing"}}),
        ("groups.depth", {"groups": {"depth": 3}}),
        ("decoy_dn", {"decoy_dn": "nobody"}),
        ("timeout", {"timeout": 0}),
        ("timeout", {"timeout": 31}),
        ("trust_all_certificates", {"trust_all_certificates": True}),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, key: str, more: dict[str, Any]) -> None:
    """Each mistake is told by its key, in a sentence without the account's password."""
    (tmp_path / "text.pem").write_text("no certificate")
    problems = _problems(tmp_path, **more)
    assert key in problems
    assert SERVICE_PASSWORD not in str(problems)


def test_passwords_in_the_clear_need_a_word(tmp_path: Path) -> None:
    """An unencrypted server elsewhere is named by allow_plaintext alone, or with StartTLS."""
    plain = ["ldap://ldap.example.com"]
    assert _problems(tmp_path, servers=plain, starttls=True) == {}
    assert _problems(tmp_path, servers=plain, allow_plaintext=True) == {}
    assert _problems(tmp_path, servers=["ldap://127.0.0.1"]) == {}


def test_kerberos_needs_its_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it the document is refused with the name of the extra to install."""
    monkeypatch.setitem(sys.modules, "gssapi", None)
    account = {"bind": "gssapi", "bind_dn": None, "bind_password": None}
    assert "remint[kerberos]" in _problems(tmp_path, **account)["bind"]


def test_files_are_read_when_the_module_is_made(tmp_path: Path) -> None:
    """An authority, and a client's certificate with its key, from the modules' folder."""
    authority = root("Directory Root")
    authority.files(tmp_path, "authority")
    authority.issue("remint").files(tmp_path, "client")
    files = {"client_certificate_file": "client.pem", "client_key_file": "client.key"}
    assert _problems(tmp_path, ca_file="authority.pem", **files) == {}

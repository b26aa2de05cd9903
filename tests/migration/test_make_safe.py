"""``remint instances make-safe``: from the reference's wire to a safe one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.migration.conftest import EXAMPLES, Remint
from tests.support import key_store_files as files
from tests.support.planted import CLIENT_SECRET

PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
WEAK = """
url_element = "weak"
transforms = ["USERNAME -> SAML2", "X509 -> SAML2", "USERNAME -> OPENIDCONNECT"]
certificate_header = "X-Client-Cert"
offload_hosts = ["any"]

[saml2]
issuer = "https://sts.example.com"
audience = "https://sp.example.com"
signing_key = "RS1"
digest = "sha1"
name_id_format = "%s"
name_id_is_label = true
authn_instant = "issue"

[saml2.encryption]
assertion = true
algorithm = "aes192-cbc"
key_transport = "rsa-1_5"
certificate = '''%s'''

[oidc]
issuer = "https://sts.example.com"
audience = ["weak"]
signing_key = "HS256"
client_secret = "%s"
"""


def _saml2(remint: Remint, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(remint("instances", "get", name).out)["saml2-config"]
    return found


@pytest.fixture
def weak(remint: Remint, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """An instance with everything that the reference does and should not."""
    monkeypatch.setenv("REMINT_SECURITY__ALLOW_LEGACY_OUTPUT", '["cbc", "sha1", "rsa-1_5"]')
    file = tmp_path / "weak.toml"
    certificate = (files.folder() / "partner.pem").read_text()
    file.write_text(WEAK % (PERSISTENT, certificate, CLIENT_SECRET))
    done = remint("instances", "publish", str(file))
    assert (done.code, done.out) == (0, "published weak\n")
    return "weak"


def test_what_would_change(remint: Remint, weak: str) -> None:
    """Each weak or doubtful output is replaced, with what a service provider would notice."""
    before = _saml2(remint, weak)
    done = remint("instances", "make-safe", weak, "--json")
    assert done.code == 0
    told = json.loads(done.out)
    changed = {change["key"]: change for change in told["changes"]}
    assert {key: change["after"] for key, change in changed.items()} == {
        "saml2-signature-algorithm": "RS256",
        "saml2-digest-algorithm": None,
        "saml2-encryption-algorithm": "http://www.w3.org/2009/xmlenc11#aes192-gcm",
        "saml2-key-transport-algorithm": "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p",
        "saml2-name-id-is-label": None,
        "saml2-authn-instant": "login",
    }
    assert "linked anew" in changed["saml2-name-id-is-label"]["notices"]
    assert "maximum age" in changed["saml2-authn-instant"]["notices"]
    assert [advice.split()[0] for advice in told["advice"]] == [
        "oidc-client-secret",
        "deployment-tls-offload-engine-hosts",
    ]
    assert not told["applied"]
    assert _saml2(remint, weak) == before
    after = told["instance"]["saml2-config"]
    assert after == {
        **{key: value for key, value in before.items() if key not in changed},
        **{key: change["after"] for key, change in changed.items() if change["after"]},
    }
    assert CLIENT_SECRET not in done.out


def test_all_of_the_instance_is_printed(remint: Remint, weak: str) -> None:
    """The whole document comes with each change marked in it."""
    published = json.loads(remint("instances", "get", weak).out)
    lines = remint("instances", "make-safe", weak).out.partition("\n\n")[0].splitlines()
    _, _, _, *marked = lines
    kept = "".join(line[1:] for line in marked if not line.startswith("+"))
    assert json.loads(kept) == published


def test_applied(
    remint: Remint, weak: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """--apply shows the difference, makes it, and leaves nothing that settings must allow."""
    done = remint("instances", "make-safe", weak, "--apply")
    assert (done.code, done.err) == (0, "")
    assert '-    "saml2-signature-algorithm": "RS1",' in done.out.splitlines()
    assert '+    "saml2-signature-algorithm": "RS256",' in done.out.splitlines()
    assert done.out.endswith("\nchanged\n")
    assert "nothing to change" in remint("instances", "make-safe", weak).out

    monkeypatch.setenv("REMINT_SECURITY__ALLOW_LEGACY_OUTPUT", "[]")
    file = tmp_path / "safe.json"
    file.write_text(remint("instances", "get", weak).out)
    assert remint("instances", "publish", str(file)).code == 0


def test_an_unsigned_instance(remint: Remint) -> None:
    """What the reference leaves unsigned is signed with the realm's key."""
    lines = str(EXAMPLES / "attributes.properties")
    assert remint("instances", "import", lines).code == 0
    assert remint("instances", "make-safe", "/receipts", "--apply").code == 0
    saml2 = _saml2(remint, "receipts")
    assert (saml2["saml2-sign-assertion"], saml2["saml2-keystore-filename"]) == ("true", "remint:")


def test_unknown(remint: Remint) -> None:
    """An instance that is not there is a 404 in words."""
    done = remint("instances", "make-safe", "nowhere")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("remint: 404 Not Found: ")

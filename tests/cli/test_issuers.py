"""``remint issuers``, on the state folder and from afar."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Remint, Site
from tests.support.issuers import IDP, key, public
from tests.support.planted import CLIENT_SECRET

FILE = f"""
[[issuer]]
name = "by-file"
issuer = "{IDP}"
audiences = ["https://sts.example.com"]
jwks_file = "partner.json"

[[issuer]]
name = "by-secret"
issuer = "{IDP}/secret"
audiences = ["https://sts.example.com"]
client_secret = "{CLIENT_SECRET}"
"""


def test_life_of_issuers(site: Site, tmp_path: Path) -> None:
    """A file's issuers are put in place with their keys inline, listed, shown and removed; a
    secret is not shown."""
    (tmp_path / "partner.json").write_text(json.dumps(public(key())))
    (tmp_path / "issuers.toml").write_text(FILE)
    put = site.ok("issuers", "put", str(tmp_path / "issuers.toml"))
    assert put == "trusting by-file in /\ntrusting by-secret in /\n"
    assert site.ok("issuers", "list") == f"by-file {IDP}\nby-secret {IDP}/secret\n"
    shown = json.loads(site.ok("issuers", "get", "by-file"))
    assert (shown["jwks"], "jwks_file" in shown) == (public(key()), False)
    assert json.loads(site.ok("issuers", "get", "by-secret"))["client_secret"] == "(unchanged)"
    for name in ("by-file", "by-secret"):
        assert site.ok("issuers", "delete", name) == f"removed {name}\n"
    assert site.ok("issuers", "list") == ""
    assert site.run("issuers", "get", "by-file").code == 1


def test_files_that_do_not_do(remint: Remint, tmp_path: Path) -> None:
    """A file with a mistake, or keys that are none, end with a sentence and change nothing."""
    path = tmp_path / "issuers.toml"
    path.write_text(FILE)
    missing = remint("issuers", "put", str(path))
    assert (missing.code, "No such file" in missing.err) == (1, True)
    (tmp_path / "partner.json").write_text("{")
    assert "is not a JWK set" in remint("issuers", "put", str(path)).err
    path.write_text("[[issuer]]\n")
    assert "issuer 1" in remint("issuers", "put", str(path)).err
    assert remint("issuers", "list").out == ""

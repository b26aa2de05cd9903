"""``remint authorities``, on the state folder and from afar."""

from __future__ import annotations

import json
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from tests.cli.conftest import Remint, Site
from tests.support.pki import pem_list, root

FILE = """
[[authority]]
name = "by-list"
anchors_file = "root.pem"
crl_files = ["root.crl"]

[[authority]]
name = "open"
anchors_file = "other.pem"
subject = "email"
revocation = "off"
"""


def test_life_of_authorities(site: Site, tmp_path: Path) -> None:
    """A file's authorities are put in place with all that it names inline, listed, shown and
    removed."""
    anchor, other = root(), root("Other")
    (tmp_path / "root.pem").write_text(anchor.pem)
    (tmp_path / "other.pem").write_text(other.pem)
    crl = anchor.crl()
    (tmp_path / "root.crl").write_bytes(crl.public_bytes(Encoding.DER))
    (tmp_path / "authorities.toml").write_text(FILE)
    put = site.ok("authorities", "put", str(tmp_path / "authorities.toml"))
    assert put == "accepting clients of by-list in /\naccepting clients of open in /\n"
    assert site.ok("authorities", "list") == "by-list dn hard\nopen email off\n"
    shown = json.loads(site.ok("authorities", "get", "by-list"))
    assert (shown["anchors"], "crl_files" in shown) == (anchor.pem, False)
    assert shown["crls"] == pem_list(crl).strip()
    for name in ("by-list", "open"):
        assert site.ok("authorities", "delete", name) == f"removed {name}\n"
    assert site.ok("authorities", "list") == ""
    assert site.run("authorities", "get", "open").code == 1


def test_files_that_do_not_do(remint: Remint, tmp_path: Path) -> None:
    """A file with a mistake, or a list that is none, ends with a sentence and changes nothing."""
    path = tmp_path / "authorities.toml"
    path.write_text(FILE)
    missing = remint("authorities", "put", str(path))
    assert (missing.code, "No such file" in missing.err) == (1, True)
    for name in ("root.pem", "other.pem"):
        (tmp_path / name).write_text(root(name).pem)
    assert "No such file" in remint("authorities", "put", str(path)).err
    (tmp_path / "root.crl").write_text("garbage")
    assert "is no revocation list" in remint("authorities", "put", str(path)).err
    assert remint("authorities", "list").out == ""

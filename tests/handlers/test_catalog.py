"""Which token types there are, and what it takes to add one."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from broker.model import OPENAM, OPENIDCONNECT, SAML2, USERNAME, X509
from broker.registry import Registry
from handlers import Ports, catalog
from handlers.opaque.provider import OPAQUE
from tests.handlers.builders import Issuers, Passwords, Sessions, Tokens, Users, user

ROOT = Path(__file__).parents[2]


def ports() -> Ports:
    return Ports(Passwords(user(), "x"), Sessions(), Users(), Tokens(), Issuers())


def registry() -> Registry:
    offered = catalog.handlers(ports())
    return Registry(catalog.validators(offered), catalog.providers(offered))


def test_built_in_token_types() -> None:
    """The built-ins are those of the list, each with the directions that it has."""
    assert registry().inputs == {USERNAME, OPENAM, X509, OPENIDCONNECT, OPAQUE}
    assert registry().outputs == {SAML2, OPENIDCONNECT, OPAQUE}


def test_every_folder_is_in_the_list() -> None:
    """A token type's folder that the list forgets would be dead code."""
    folders = {
        f"handlers.{path.parent.name}"
        for path in (ROOT / "handlers").glob("*/__init__.py")
        if "def handlers(" in path.read_text()
    }
    assert folders == set(catalog.TOKEN_TYPES)


PROOF = """
from handlers import Ports, catalog
offered = catalog.handlers(Ports(None, None, None, None, None))
known = {"USERNAME", "OPENAM", "X509", "OPENIDCONNECT"}
print(sorted({v.token_type for v in catalog.validators(offered)} - known))
print(sorted({p.token_type for p in catalog.providers(offered)} - {"SAML2", "OPENIDCONNECT"}))
"""


def test_copied_folder_and_one_line_make_a_token_type(tmp_path: Path) -> None:
    """The steps in the docstring of ``handlers/opaque`` work, in a copy of the tree."""
    for room in ("broker", "handlers"):
        shutil.copytree(ROOT / room, tmp_path / room)
    shutil.copytree(tmp_path / "handlers/opaque", tmp_path / "handlers/voucher")
    for path in (tmp_path / "handlers/voucher").glob("*.py"):
        text = path.read_text()
        for word in ("opaque", "OPAQUE", "Opaque"):
            new = {"opaque": "voucher", "OPAQUE": "VOUCHER", "Opaque": "Voucher"}[word]
            text = text.replace(word, new)
        path.write_text(text)
    listed = tmp_path / "handlers/catalog.py"
    before = listed.read_text()
    line = '    "handlers.opaque",\n'
    assert line in before
    listed.write_text(before.replace(line, line + line.replace("opaque", "voucher")))
    ran = subprocess.run(
        [sys.executable, "-c", PROOF],
        capture_output=True,
        check=True,
        cwd=tmp_path,
        text=True,
        timeout=60,
    )
    assert ran.stdout == "['OPAQUE', 'VOUCHER']\n['OPAQUE', 'VOUCHER']\n"


def install(
    folder: Path, monkeypatch: pytest.MonkeyPatch, group: str, module: str, value: str
) -> None:
    """An installed distribution with one entry point, as pip would leave it."""
    (folder / "acme_tokens.py").write_text(module)
    info = folder / "acme_tokens-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-tokens\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{group}]\nacme = {value}\n")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "acme_tokens", raising=False)


PLUGIN = """
class Validator:
    token_type = "ACME"
    def __init__(self, users): self.users = users
    def parse(self, token): return token
    async def validate(self, credential, instance, now): return credential

class Provider:
    token_type = "ACME"
    def __getattr__(self, name): return None

def validator(ports): return Validator(ports.users)
def provider(ports): return Provider()
def half(ports): return object()
def failing(ports): raise RuntimeError("no licence")
"""


@pytest.mark.parametrize("direction", ["validator", "provider"])
def test_plug_in_joins_by_entry_point(
    direction: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An installed plug-in is made with the ports and stands beside the built-ins."""
    install(tmp_path, monkeypatch, f"remint.{direction}s", PLUGIN, f"acme_tokens:{direction}")
    found = registry()
    assert ("ACME" in found.inputs) == (direction == "validator")
    assert ("ACME" in found.outputs) == (direction == "provider")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("acme_tokens:half", "token_type, parse, validate"),
        ("acme_tokens:failing", "RuntimeError: no licence"),
        ("acme_tokens:absent", "AttributeError"),
        ("acme_nowhere:validator", "ModuleNotFoundError"),
    ],
)
def test_plug_in_that_does_not_load_stops_the_start(
    value: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broken plug-in is a start-up error that names it and says what is wrong."""
    install(tmp_path, monkeypatch, "remint.validators", PLUGIN, value)
    with pytest.raises(catalog.PluginError, match=reason) as error:
        catalog.handlers(ports())
    assert f"acme ({value}) of remint.validators" in str(error.value)

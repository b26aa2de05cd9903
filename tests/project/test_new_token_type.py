"""The recipe of ``handlers/opaque``, followed: a copied folder and one line make a token type."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path

import pytest

from adapters.instances import toml
from tests.project.source import ROOT
from tests.support.caller import Caller
from tests.support.door import user_input
from tests.support.planted import Planted
from tests.support.process import BrokerProcess, ended

ROOMS = ("adapters", "broker", "handlers")
NAMES = (("opaque", "stamp"), ("OPAQUE", "STAMP"), ("Opaque", "Stamp"))

INSTANCE = """
url_element = "stamps"
transforms = ["USERNAME -> STAMP", "STAMP -> OPENIDCONNECT"]
persist_issued_tokens = true

[oidc]
issuer = "https://sts.example.com"
audience = ["orders"]
signing_key = "ES256"
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the rooms with the new type in it."""
    tree = tmp_path / "tree"
    for room in ROOMS:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / room, tree / room, ignore=ignored)
    shutil.copytree(tree / "handlers" / "opaque", tree / "handlers" / "stamp")
    for path in (tree / "handlers" / "stamp").iterdir():
        text = path.read_text()
        for old, new in NAMES:
            text = text.replace(old, new)
        path.write_text(text)
    return tree


def _add_to_catalog(tree: Path) -> None:
    """The one line outside the folder."""
    catalog = tree / "handlers" / "catalog.py"
    last = '    "handlers.opaque",\n'
    before = catalog.read_text()
    after = before.replace(last, last + '    "handlers.stamp",\n')
    assert len(after.splitlines()) == len(before.splitlines()) + 1
    catalog.write_text(after)


@pytest.mark.slow
def test_new_token_type(copy: Path, tmp_path: Path, planted: Planted) -> None:
    """The new type is issued and accepted over HTTP, once, like any other."""
    _add_to_catalog(copy)
    broker = BrokerProcess(tmp_path, source=copy)
    (tmp_path / "stamps.toml").write_text(INSTANCE)
    broker.settings["INSTANCES"] = json.dumps([str(tmp_path / "stamps.toml")])
    with ended(broker):
        broker.start()
        with Caller(broker.url, planted) as caller:
            caller.add_user(caller.admin())
            wanted = {"token_type": "STAMP"}
            answer = caller.translate(user_input(), wanted, instance="stamps")
            assert answer.status == 200, answer.text
            given = {"token_type": "STAMP", "stamp_token": answer.body["issued_token"]}
            answer = caller.translate(given, instance="stamps")
            assert answer.status == 200, answer.text
            claims = base64.urlsafe_b64decode(answer.body["issued_token"].split(".")[1] + "==")
            assert json.loads(claims)["sub"] == "demo"
            assert caller.translate(given, instance="stamps").status == 401
    assert planted.found_in(broker.texts()) == []


@pytest.mark.slow
def test_the_line_is_needed(copy: Path, tmp_path: Path) -> None:
    """Without its line in the catalogue the folder is not there, and its instance is refused."""
    (tmp_path / "stamps.toml").write_text(INSTANCE)
    assert toml.read(tmp_path / "stamps.toml").url_element == "stamps"
    broker = BrokerProcess(tmp_path, source=copy)
    broker.settings["INSTANCES"] = json.dumps([str(tmp_path / "stamps.toml")])
    with ended(broker):
        broker.launch()
        assert broker.wait() == 1
        assert "STAMP" in broker.output()
        assert broker.output().count("\n") == 1

"""Exports that a stranger wrote: what they hold neither rules the terminal nor betrays a secret."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.migration.conftest import EXAMPLES, Remint
from tests.migration.forms import structured
from tests.support.planted import MARK

ESCAPE = "\x1b[2J\x9b\x07\u202e"
NASTY = f"x{ESCAPE}y"
LINES = "".join(
    f"{line}\n" for line in (EXAMPLES / "attributes.properties").read_text().splitlines()
)


def _printable(text: str) -> bool:
    return all(line.isprintable() for line in text.split("\n"))


def _written(folder: Path, state: Any, name: str = "export.json") -> str:
    file = folder / name
    file.write_text(json.dumps(state))
    return str(file)


def test_escapes_in_an_export(remint: Remint, tmp_path: Path) -> None:
    """Keys, values, classes and file names of an export have nothing to obey once printed."""
    state = structured()
    oidc = state["oidc-id-token-config"]
    oidc["oidc-custom-claim-mapper-class"] = f"com.example.{NASTY}"
    oidc["oidc-issuer"] = f"&{{{NASTY}}}"
    state |= {NASTY: "1", f"empty-{NASTY}": ""}
    state["deployment-config"]["deployment-realm"] = f"/{NASTY}"
    file = _written(tmp_path, state, f"{NASTY}\n.json")
    done = remint("instances", "import", file, "--dry-run")
    assert done.code == 1
    assert _printable(done.out)
    assert done.out.count("x?[2J???y") >= 5
    rows = json.loads(remint("instances", "import", file, "--dry-run", "--json").out)[0]["keys"]
    assert NASTY in {row["key"] for row in rows}


def test_escapes_in_what_the_broker_says(remint: Remint, tmp_path: Path) -> None:
    """The words with which a broker refuses what an export holds are printed the same way."""
    file = tmp_path / "export.properties"
    file.write_text(LINES.replace("https://am.example.com", f"https://{NASTY}"))
    done = remint("instances", "import", str(file), "--realm", f"/{NASTY}")
    assert done.code == 1
    assert _printable(done.out)
    assert "-> refused: " in done.out


@pytest.mark.parametrize("twice", [False, True])
def test_escapes_in_a_sentence(remint: Remint, tmp_path: Path, twice: bool) -> None:
    """A file that cannot be read, or that holds what another has, is named in what can be
    printed."""
    first = tmp_path / f"{NASTY}1.properties"
    first.write_text(LINES if twice else "nothing")
    second = tmp_path / f"{NASTY}2.properties"
    second.write_text(LINES)
    done = remint("instances", "import", str(first), str(second))
    assert (done.code, done.out) == (1, "")
    assert "x?[2J???y1" in done.err
    assert _printable(done.err)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (f"{MARK}-front&{{env.secret}}", "&{env.secret} stands for"),
        (f"&{{env.secret|{MARK}}}-{MARK}", "&{env.secret} stands for"),
        (f"&{{{MARK}", "a placeholder stands for"),
    ],
)
def test_a_secret_with_a_placeholder(
    remint: Remint, tmp_path: Path, value: str, shown: str
) -> None:
    """Of a secret that has a placeholder in it, the placeholder's name is shown and no more."""
    state = structured()
    state["oidc-id-token-config"]["oidc-client-secret"] = value
    for form in ([], ["--json"]):  # the fixture fails where the mark is printed
        done = remint("instances", "import", _written(tmp_path, state), "--dry-run", *form)
        assert done.code == 1
        assert shown in done.out
        assert "--secret same.oidc-client-secret=FILE" in done.out


@pytest.mark.parametrize("context", [["a"], "a=b", 1, {"a": {"b": "c"}}])
def test_a_context_of_another_shape(remint: Remint, tmp_path: Path, context: Any) -> None:
    """A mapping context that is no object of plain values refuses its instance in a sentence."""
    state = structured()
    targets = state["deployment-config"]["deployment-auth-target-mappings"]
    targets["USERNAME"]["mapping-context"] = context
    done = remint("instances", "import", _written(tmp_path, state), "--dry-run", "--json")
    assert done.code == 1
    says = {row["key"]: row["says"] for row in json.loads(done.out)[0]["keys"]}
    assert "mapping-context of USERNAME" in says["deployment-auth-target-mappings"]


def test_pipes_and_devices(remint: Remint, tmp_path: Path) -> None:
    """What is no regular file is passed over in a folder, and a sentence where it is named."""
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "zero.json").symlink_to("/dev/zero")
    (tmp_path / "folder.json").mkdir()
    _written(tmp_path, structured())
    # With a writer that says nothing: whoever reads it waits for ever.
    writer = os.open(tmp_path / "pipe.json", os.O_RDWR)
    try:
        done = remint("instances", "import", str(tmp_path), "--dry-run")
        assert (done.code, done.err) == (0, "")
        assert done.out.endswith("-> would be published\n")
        for name in ("pipe.json", "zero.json"):
            done = remint("instances", "import", str(tmp_path / name), "--dry-run")
            assert (done.code, done.out) == (1, "")
            assert "no regular file" in done.err
    finally:
        os.close(writer)

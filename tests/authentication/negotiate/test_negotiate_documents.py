"""What may be written of a module of the kind ``negotiate``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support import authentication
from tests.support.authentication import parts


@pytest.mark.parametrize(
    ("document", "key"),
    [
        ({"realms": ["A"]}, "keytab_file"),
        ({"keytab_file": "nowhere", "realms": ["A"]}, "keytab_file"),
        ({"keytab_file": "../x", "realms": ["A"]}, "keytab_file"),
        ({"keytab_file": "k"}, "realms"),
        ({"keytab_file": "k", "realms": [""]}, "realms"),
        ({"keytab_file": "k", "realms": ["A", "B"]}, "user_name"),
        ({"keytab_file": "k", "realms": ["A"], "user_name": "lower"}, "user_name"),
        ({"keytab_file": "k", "realms": ["A"], "service": "ldap"}, "service"),
        ({"keytab_file": "k", "realms": ["A"], "timeout": 0}, "timeout"),
        ({"keytab_file": "k", "realms": ["A"], "ntlm": True}, "ntlm"),
    ],
    ids=str,
)
def test_documents(document: dict[str, Any], key: str, tmp_path: Path) -> None:
    """What is wrong with a module is refused when it is written, by its key."""
    (tmp_path / "k").write_bytes(b"")
    _, problems = authentication.tried(
        {"name": "x", "kind": "negotiate", **document}, parts(tmp_path)
    )
    assert [found for found, _ in problems] == [key]


def test_without_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra a module is refused, with the name of the extra."""

    def absent(_: str) -> Any:
        raise ImportError

    (tmp_path / "k").write_bytes(b"")
    monkeypatch.setattr("importlib.import_module", absent)
    document = {"name": "x", "kind": "negotiate", "keytab_file": "k", "realms": ["A"]}
    _, problems = authentication.tried(document, parts(tmp_path))
    assert problems == [("kind", "Kerberos needs a library: pip install 'remint[kerberos]'")]

"""Moving here: the command line on a state folder of the test's own, and what exports look like."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Done, Remint, broker, remint
from tests.project.source import ROOT
from tests.support import key_store_files as files
from tests.support.planted import CLIENT_SECRET

__all__ = ["EXAMPLES", "Done", "Remint", "broker", "remint"]

EXAMPLES = ROOT / "examples" / "migration"


@pytest.fixture
def key_stores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that settings name, with the key store of the examples in it."""
    folder = tmp_path / "key-stores"
    folder.mkdir()
    (folder / "sts.p12").write_bytes((files.folder() / "own.p12").read_bytes())
    monkeypatch.setenv("REMINT_KEYS__KEYSTORE_DIR", str(folder))
    return folder


Secrets = Callable[..., list[str]]


@pytest.fixture
def secrets(tmp_path: Path) -> Secrets:
    """Options that give the secrets of an instance, each in a file of its own."""
    values = {
        "saml2-keystore-password": files.STORE_PASSWORD,
        "saml2-signature-key-password": files.STORE_PASSWORD,
        "oidc-keystore-password": files.STORE_PASSWORD,
        "oidc-signature-key-password": files.STORE_PASSWORD,
        "oidc-client-secret": CLIENT_SECRET,
    }

    def options(instance: str, *keys: str) -> list[str]:
        given = []
        for key in keys:
            file = tmp_path / f"secret-{key}"
            file.write_text(values[key] + "\n")
            given += ["--secret", f"{instance}.{key}={file}"]
        return given

    return options

"""Sessions of before sessions knew who checked the login."""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path

import pytest

from adapters.stores import open_stores
from adapters.stores.sqlite_schema import MIGRATIONS
from broker.model import Secret
from broker.testing import NOW, a_session
from tests.contract.roots import ROOT

BEFORE = 4
"""The last schema without an origin."""


@pytest.mark.parametrize("interim", [False, True])
async def test_a_session_of_schema_4_stands(interim: bool, tmp_path: Path) -> None:
    """It is the same session after the file was brought up to date, of a local user's password."""
    path = tmp_path / "remint.db"
    connection = sqlite3.connect(path)
    for statements in MIGRATIONS[:BEFORE]:
        for statement in statements:
            connection.execute(statement)
    digest = hashlib.sha256(b"session-1").digest()
    connection.execute(
        "INSERT INTO sessions (digest, uid, principal, realm, created_at, last_access_at, "
        "max_idle_seconds, max_life_seconds, interim, user_stamp) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (digest, "uid-1", "alice", "/", NOW, NOW, 1800, 7200, interim, "stamp"),
    )
    connection.execute(f"PRAGMA user_version = {BEFORE}")
    connection.commit()
    connection.close()
    stores = await open_stores(f"sqlite:///{path}", ROOT)
    try:
        found = await stores.sessions.get(Secret("session-1"))
        assert found == a_session(interim=interim, user_stamp="stamp")
        assert found is not None
        assert found.foreign is None
    finally:
        await stores.close()

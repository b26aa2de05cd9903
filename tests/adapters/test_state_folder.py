"""What a broker finds in its state folder, it trusts; so nobody else may have put it there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from adapters import bootstrap
from adapters.directories.local import Passwords
from adapters.settings import Settings
from adapters.state_folder import CannotStart
from adapters.telemetry.audit import AuditFile
from broker.ports import Attempt, AuditRecord
from tests.support.door import CHEAP


async def _started(state: Path) -> None:
    settings = Settings(state_dir=state)
    broker = await bootstrap.build(settings, url="http://h", passwords=Passwords(cost=CHEAP))
    await broker.close()


async def test_a_folder_that_others_can_write_is_refused(tmp_path: Path) -> None:
    """A planted password or key would be as good as ours, so the broker does not start there."""
    state = tmp_path / "state"
    state.mkdir()
    state.chmod(0o777)
    with pytest.raises(CannotStart, match="mode 0700"):
        await _started(state)
    assert list(state.iterdir()) == []


@pytest.mark.parametrize(("text", "mode"), [("known\n", 0o644), ("", 0o600)])
async def test_an_administrator_s_password_from_elsewhere_is_refused(
    tmp_path: Path, text: str, mode: int
) -> None:
    """A password file that others can read, or that is empty, makes nobody administrator."""
    state = tmp_path / "state"
    state.mkdir(0o700)
    (state / "admin-password").write_text(text)
    (state / "admin-password").chmod(mode)
    with pytest.raises(CannotStart, match="admin-password"):
        await _started(state)


async def test_an_audit_file_that_was_moved_away_is_begun_anew(tmp_path: Path) -> None:
    """After a rotation the next lines go to a new file of the old name, none to nowhere."""
    path = tmp_path / "audit.log"
    audit = AuditFile(path)
    record = AuditRecord(Attempt("validate", "test", 0.0), "ok", None, None, 0.0)
    await audit.record(record)
    audit.follow()
    os.rename(path, tmp_path / "audit.log.1")
    audit.follow()
    await audit.record(record)
    audit.close()
    assert len((tmp_path / "audit.log.1").read_text().splitlines()) == 1
    assert len(path.read_text().splitlines()) == 1

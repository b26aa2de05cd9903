"""The case of logins that a directory checks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bench import slapd_server
from bench.case import Missing
from bench.cases import ldap
from bench.result import Row


@pytest.mark.slow
@pytest.mark.server
@pytest.mark.xdist_group("slapd")
def test_ldap() -> None:
    """Both schemes are measured beside a bare bind, and slapd's own part is told apart."""
    pytest.importorskip("bonsai")
    found = list(ldap.CASE.rows(replace(ldap.Options(), rounds=2, requests=20), lambda _: None))
    rows = [row for row in found if isinstance(row, Row)]
    assert [row.facts["scheme"] for row in rows] == ["ldap", "ldaps"]
    for row in rows:
        assert len(row.ours) == len(row.floor) == 2
        assert min(*row.ours, *row.floor) > 0
        assert row.facts["cpu_slapd"]


def test_no_slapd_is_a_case_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no slapd the case says how to get it."""
    monkeypatch.setattr(slapd_server, "PROGRAM", str(tmp_path / "none"))
    with pytest.raises(Missing, match="apt-get install slapd"), slapd_server.slapd_server():
        pass

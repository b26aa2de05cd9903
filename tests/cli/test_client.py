"""How commands reach a broker, and what they say when they cannot."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from tests.cli.conftest import Remint
from tests.support.planted import ADMIN_PASSWORD, MARK
from tests.support.ports import free_port
from tests.support.process import BrokerProcess


def _sessions(state: Path) -> int:
    connection = sqlite3.connect(f"file:{state / 'remint.db'}?mode=ro", uri=True)
    try:
        count: int = connection.execute("SELECT count(*) FROM sessions").fetchone()[0]
        return count
    finally:
        connection.close()


def test_no_broker_there(remint: Remint) -> None:
    """A URL where nobody listens is a sentence; exit code 1."""
    url = f"http://127.0.0.1:{free_port()}"
    done = remint("users", "list", "--url", url)
    assert done.code == 1
    assert done.err.startswith(f"remint: cannot reach {url}: ")
    assert done.err.count("\n") == 1


def test_no_url(remint: Remint) -> None:
    """What is no URL is a sentence; exit code 1."""
    done = remint("users", "list", "--url", "nonsense")
    assert done.code == 1
    assert done.err == "remint: nonsense is no URL of a broker, such as http://127.0.0.1:8080\n"


def test_password_stays_on_this_machine(remint: Remint) -> None:
    """No password goes to another machine in the clear, nor a local one to another broker."""
    done = remint("users", "list", "--url", "http://sts.example.com")
    assert (done.code, done.out) == (1, "")
    assert "use https" in done.err


def test_anybody_may_translate(
    remint: Remint, broker: BrokerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What needs no session asks for no administrator's password."""
    monkeypatch.delenv("REMINT_ADMIN__PASSWORD")
    translate = ("translate", "--instance", "none", "--from", "USERNAME", "--to", "SAML2")
    done = remint(*translate, "--username", "ada", "--url", broker.url, given="secret\n")
    assert (done.code, done.err[:11]) == (1, "remint: 404")


def test_a_command_undoes_nothing(
    remint: Remint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What files declare comes at a broker's start, not with each command on the state folder."""
    hashed = remint("users", "hash", given="secret\n").out.strip()
    file = tmp_path / "users.toml"
    file.write_text(f'[[user]]\nname = "eve"\npassword_hash = "{hashed}"\n')
    assert remint("users", "import", str(file)).code == 0
    monkeypatch.setenv("REMINT_USERS__FILE", str(file))
    assert remint("users", "delete", "eve").code == 0
    assert "eve" not in remint("users", "list").out


def test_wrong_administrator(
    remint: Remint, broker: BrokerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong administrator's password is refused in the broker's words."""
    monkeypatch.setenv("REMINT_ADMIN__PASSWORD", f"wrong-{MARK}")
    done = remint("users", "list", "--url", broker.url)
    assert (done.code, done.out) == (1, "")
    assert done.err == "remint: 401 Unauthorized: Authentication Failed\n"


def test_password_from_the_state_folder(
    remint: Remint, broker: BrokerProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a setting the administrator's password is read where a first start keeps it."""
    monkeypatch.delenv("REMINT_ADMIN__PASSWORD")
    done = remint("users", "list", "--url", broker.url)
    assert done.code == 1
    assert done.err == (
        f"remint: set REMINT_ADMIN__PASSWORD to the password of admin at {broker.url}\n"
    )
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "admin-password").write_text(ADMIN_PASSWORD + "\n")
    assert remint("users", "list", "--url", broker.url).code == 0


def test_memory(remint: Remint, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store in memory has nothing to administer but in a running broker."""
    monkeypatch.setenv("REMINT_STORE__URL", "memory://")
    done = remint("users", "list")
    assert done.code == 1
    assert done.err == "remint: memory:// has no state folder; name a running broker with --url\n"


def test_no_session_is_left(remint: Remint, tmp_path: Path, broker: BrokerProcess) -> None:
    """The administrator's session of a command ends with it, whether it worked or not."""
    before = _sessions(broker.state)
    for address in ((), ("--url", broker.url)):
        assert remint("users", "list", *address).code == 0
        assert remint("users", "delete", "nobody", *address).code == 1
    assert _sessions(tmp_path / "state") == 0
    assert _sessions(broker.state) == before


def test_beside_a_running_broker(
    remint: Remint, broker: BrokerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command on the state folder of a running broker is in force there at once."""
    monkeypatch.setenv("REMINT_STATE_DIR", str(broker.state))
    assert remint("users", "add", "beside", given=ADMIN_PASSWORD).code == 0
    assert "beside {}" in remint("users", "list", "--url", broker.url).out.splitlines()
    assert remint("users", "delete", "beside", "--url", broker.url).code == 0
    assert "beside" not in remint("users", "list").out


def test_damaged_keys(remint: Remint, tmp_path: Path) -> None:
    """Keys of an earlier version that cannot be read are a sentence that names the file; code 1."""
    ring = tmp_path / "state" / "keys" / "root" / "ring.json"
    ring.parent.mkdir(parents=True, mode=0o700)
    (tmp_path / "state").chmod(0o700)
    ring.write_text("{")
    done = remint("keys", "list")
    assert (done.code, done.out) == (1, "")
    assert done.err == f"remint: {ring} is damaged: restore it from a copy\n"

"""What stands in the state folder: who may read it, and what is not in it at all."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tests.process.conftest import Brokers
from tests.support.caller import Caller, set_up
from tests.support.door import ASSERTION, ID_TOKEN, an_instance, session_input, user_input
from tests.support.planted import CLIENT_SECRET, MARK, PASSPHRASE, USER_PASSWORD, Planted
from tests.support.process import BrokerProcess

pytestmark = pytest.mark.slow


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_modes(brokers: Brokers) -> None:
    """The state folder and all in it are their owner's alone, whatever the umask."""
    broker = brokers("serve")
    del broker.settings["ADMIN__PASSWORD"]
    broker.start()
    paths = list(broker.state.rglob("*"))
    named = {path.name for path in paths}
    assert {"admin-password", "root-secret", "remint.db", "audit.log"} <= named
    folders = [broker.state, *(path for path in paths if path.is_dir())]
    files = [path for path in paths if path.is_file()]
    assert {str(path): oct(_mode(path)) for path in folders if _mode(path) != 0o700} == {}
    assert {str(path): oct(_mode(path)) for path in files if _mode(path) != 0o600} == {}


def test_administrator_password(brokers: Brokers, planted: Planted) -> None:
    """A first start keeps a random password for the administrator and prints it to no file."""
    broker = brokers("serve")
    del broker.settings["ADMIN__PASSWORD"]
    broker.start()
    password = (broker.state / "admin-password").read_text().strip()
    planted.note(password)
    assert len(password) == 24
    broker.restart()
    assert (broker.state / "admin-password").read_text().strip() == password
    with Caller(broker.url, planted) as caller:
        assert caller.login("admin", password)


def test_nothing_secret_is_written(brokers: Brokers, planted: Planted) -> None:
    """Passwords, tokens, session ids and client secrets stand in no log and no file of the state.

    The search itself is in the fixture; here is what it must not find, and proof that it can.
    """
    settings = {"LOG__LEVEL": "debug", "KEYS__PASSPHRASE": PASSPHRASE}
    broker = brokers("serve", settings=settings)
    broker.start()
    session = set_up(broker.url, planted)
    with Caller(broker.url, planted) as caller:
        admin = caller.admin()
        caller.publish(admin, an_instance("secrets", oidc="HS256"))
        for given in (user_input(), session_input(session)):
            for key, wanted in (("jwt", ID_TOKEN), ("saml", ASSERTION)):
                assert caller.translate(given, wanted, instance="secrets", key=key).status == 200
            assert caller.translate(given, ASSERTION, instance="secrets", key="jwt").status == 409
        assert caller.translate(user_input(f"wrong-{MARK}")).status == 401
        assert caller.translate(session_input(f"unknown-{MARK}")).status == 401
        broken = caller.request("POST", "/rest-sts/secrets?_action=translate", [USER_PASSWORD])
        assert broken.status == 400
        read = caller.request("GET", "/sts-publish/rest/secrets", headers=admin)
        assert read.status == 200
        assert CLIENT_SECRET not in read.text
    broker.kill()
    assert planted.found_in(broker.texts()) == []
    log = broker.state / "audit.log"
    log.write_text(log.read_text() + session)
    assert planted.found_in(broker.texts()) == [session]
    log.unlink()


def test_foreign_store(brokers: Brokers, planted: Planted) -> None:
    """A broker with another root secret refuses the store, and says why."""
    broker = brokers("serve")
    broker.start()
    assert broker.terminate() == 0
    said = _refusal(broker, KEYS__ROOT_SECRET="0" * 64)
    assert "the store was written with another root secret" in said


def test_root_secret_is_private(brokers: Brokers) -> None:
    """A root secret that others can read keeps the broker from starting."""
    broker = brokers("serve")
    broker.start()
    assert broker.terminate() == 0
    (broker.state / "root-secret").chmod(0o644)
    assert "can be read by others; give it mode 0600" in _refusal(broker)


def _refusal(broker: BrokerProcess, **settings: str) -> str:
    """Start in vain: exit code 1 and one sentence, which is returned."""
    before = len(broker.output())
    broker.settings.update(settings)
    broker.launch()
    assert broker.wait() == 1
    said = broker.output()[before:]
    assert said.startswith("remint: ")
    assert said.count("\n") == 1
    return said

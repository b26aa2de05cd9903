"""``kill -9`` at any moment: what was promised is still there, and nothing happened twice."""

from __future__ import annotations

import http.client
from typing import Any

import pytest

from tests.process.conftest import Brokers
from tests.support.caller import Caller, set_up
from tests.support.crashing import COMMITTED, VALIDATING
from tests.support.door import ELEMENT, session_input, user_input
from tests.support.planted import USER_PASSWORD, Planted
from tests.support.process import BrokerProcess

pytestmark = pytest.mark.slow


def _jwks(broker: BrokerProcess, planted: Planted) -> Any:
    with Caller(broker.url, planted) as caller:
        return caller.request("GET", "/oauth2/jwks").body


def test_all_is_there_after_kill(brokers: Brokers, planted: Planted) -> None:
    """Tokens, sessions, instances, users and keys outlive ``kill -9``, and so does a cancel."""
    broker = brokers("serve")
    broker.start()
    session = set_up(broker.url, planted)
    jwks = _jwks(broker, planted)
    with Caller(broker.url, planted) as caller:
        kept = caller.translate(session_input(session)).body["issued_token"]
        cancelled = caller.translate(session_input(session)).body["issued_token"]
        caller.cancel(cancelled)
        admin = caller.admin()
        before = caller.issued(admin)
    broker.restart()
    assert _jwks(broker, planted) == jwks
    with Caller(broker.url, planted) as caller:
        assert caller.session_valid(session)
        assert caller.issued(admin) == before
        assert [caller.valid(kept), caller.valid(cancelled)] == [True, False]
        assert caller.translate(user_input()).status == 200
        assert caller.login("demo", USER_PASSWORD)


def test_answer_is_there_after_kill(brokers: Brokers, planted: Planted) -> None:
    """A request that was answered before ``kill -9`` gets the same answer afterwards."""
    broker = brokers("serve")
    broker.start()
    given = session_input(set_up(broker.url, planted))
    with Caller(broker.url, planted) as caller:
        first = caller.translate(given, key="one")
    broker.restart()
    with Caller(broker.url, planted) as caller:
        again = caller.translate(given, key="one")
        assert (first.status, again.text) == (200, first.text)
        assert len(caller.issued(caller.admin())) == 1


def test_killed_between_commit_and_answer(brokers: Brokers, planted: Planted) -> None:
    """A retry after a crash between commit and answer gets that answer; there is one token."""
    broker = brokers("serve")
    broker.start()
    given = session_input(set_up(broker.url, planted))
    broker.kill()

    _dies_of_translating(brokers(COMMITTED, module="tests.support.crashing"), planted, given)
    assert [line for line in broker.audit() if line["operation"] == "translate"] == []

    broker.start()
    with Caller(broker.url, planted) as caller:
        (committed,) = caller.issued(caller.admin())
        answer = caller.translate(given, key="retried")
        assert answer.status == 200
        assert caller.valid(answer.body["issued_token"])
        assert caller.issued(caller.admin()) == [committed]
    (line,) = [line for line in broker.audit() if line["operation"] == "translate"]
    assert line["replayed"] is True


def test_killed_while_validating(brokers: Brokers, planted: Planted) -> None:
    """A retry after a crash before the commit takes the request over once its lease has run out."""
    broker = brokers("serve")
    broker.start()
    set_up(broker.url, planted)
    broker.kill()

    _dies_of_translating(
        brokers(VALIDATING, module="tests.support.crashing"), planted, user_input()
    )

    broker.start()
    with Caller(broker.url, planted) as caller:
        assert caller.issued(caller.admin()) == []
        answer = caller.translate(user_input(), key="retried")
        assert answer.status == 200, answer.text
        (record,) = caller.issued(caller.admin())
        assert record["sts_id"] == ELEMENT


def _dies_of_translating(crashing: BrokerProcess, planted: Planted, given: dict[str, Any]) -> None:
    crashing.start()
    with (
        Caller(crashing.url, planted) as caller,
        pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)),
    ):
        caller.translate(given, key="retried")
    assert crashing.wait() == -9

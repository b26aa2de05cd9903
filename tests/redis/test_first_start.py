"""Brokers that start at the same moment on an empty Redis."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from adapters.administrator import ADMIN_PASSWORD_FILE
from tests.support.caller import Caller
from tests.support.door import HEADER
from tests.support.planted import Planted
from tests.support.process import BrokerProcess, ended
from tests.support.redis_server import RedisServer
from tests.support.sharing import sharer

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.xdist_group("redis-brokers")]

BROKERS = 3


def test_first_starts_at_once_make_one_of_each(
    mortal: RedisServer, tmp_path: Path, planted: Planted
) -> None:
    """Three brokers that start at once on an empty Redis end with one deployment key, one set of
    signing keys and one administrator, whose password is in one of their folders."""
    with ExitStack() as stack:
        brokers = [
            stack.enter_context(
                ended(sharer(tmp_path / str(n), mortal.url, settings={"ADMIN__PASSWORD": ""}))
            )
            for n in range(BROKERS)
        ]
        for broker in brokers:
            broker.launch()
        for broker in brokers:
            broker.wait_ready()
        callers = [stack.enter_context(Caller(broker.url, planted)) for broker in brokers]
        jwks = [caller.request("GET", "/oauth2/jwks").body for caller in callers]
        assert jwks[0]["keys"]
        assert jwks == [jwks[0]] * BROKERS

        (password,) = _kept_passwords(brokers)  # one that opens nothing is not kept
        for caller in callers:
            session = caller.login("admin", password)
            assert all(other.session_valid(session) for other in callers)
        users = callers[0].request("GET", "/json/users", headers={HEADER: session}).body["result"]
        assert [user["username"] for user in users] == ["admin"]


def _kept_passwords(brokers: list[BrokerProcess]) -> list[str]:
    files = [broker.state / ADMIN_PASSWORD_FILE for broker in brokers]
    return [file.read_text().strip() for file in files if file.exists()]

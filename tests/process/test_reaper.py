"""What has expired leaves the store by itself."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

import pytest

from tests.process.conftest import Brokers
from tests.support.caller import Caller
from tests.support.door import an_instance, user_input
from tests.support.planted import Planted
from tests.support.process import BrokerProcess

TABLES = ("tokens", "sessions")


def _rows(broker: BrokerProcess) -> dict[str, int]:
    connection = sqlite3.connect(f"file:{broker.state / 'remint.db'}?mode=ro", uri=True)
    try:
        return {
            table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608  # our own names
            for table in TABLES
        }
    finally:
        connection.close()


@pytest.mark.slow
def test_reaper(brokers: Brokers, planted: Planted) -> None:
    """Expired token records and sessions vanish; a token that lives on stays."""
    settings = {"STORE__REAP_SECONDS": "0.1", "SESSIONS__MAX_LIFE_SECONDS": "3"}
    broker = brokers("serve", settings=settings)
    broker.start()
    brief = an_instance("brief", oidc="ES256")
    assert brief.oidc is not None
    with Caller(broker.url, planted) as caller:
        admin = caller.admin()
        caller.add_user(admin)
        caller.publish(admin, an_instance("lasting", oidc="ES256"))
        caller.publish(admin, replace(brief, oidc=replace(brief.oidc, lifetime_seconds=3)))
        lasting = caller.translate(user_input(), instance="lasting").body["issued_token"]
        ending = caller.translate(user_input(), instance="brief").body["issued_token"]
        assert caller.valid(ending, instance="brief")
        assert _rows(broker) == {"tokens": 2, "sessions": 1}
        broker.wait_for(lambda: _rows(broker) == {"tokens": 1, "sessions": 0})
        assert not caller.valid(ending, instance="brief")
        assert caller.valid(lasting, instance="lasting")

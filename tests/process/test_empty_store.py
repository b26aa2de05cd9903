"""A broker whose Redis lost its data waits for the operator's word, and then goes on by itself."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.stores.guard import FILE_NAME
from tests.process.conftest import Brokers
from tests.support.caller import Caller, set_up
from tests.support.door import an_instance, session_input, user_input
from tests.support.planted import Planted
from tests.support.process import BrokerProcess, remint
from tests.support.redis_rules import documented_rules
from tests.support.redis_server import RedisServer, running_redis

pytestmark = [pytest.mark.slow, pytest.mark.server, pytest.mark.xdist_group("redis")]

CONFIRM = ("store", "confirm-empty")


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    """A server of the test's own, whose data may go."""
    with running_redis(documented_rules()) as running:
        running.empty()
        yield running


def confirm(broker: BrokerProcess, redis: RedisServer, *more: str) -> tuple[int, str]:
    """Exit code and words of the operator's command, on the broker's own state folder."""
    ran = remint(*CONFIRM, *more, state=broker.state, settings={"STORE__URL": redis.url})
    return ran.returncode, ran.stdout + ran.stderr


@pytest.mark.parametrize("workers", [1, 2])
def test_a_broker_goes_on_after_the_loss_was_confirmed(
    brokers: Brokers, redis: RedisServer, planted: Planted, workers: int
) -> None:
    """503 with the reason for all until the operator confirms; then the same processes serve the
    new store on the same port, with the administrator's password of the settings."""
    broker = brokers("serve", "--workers", str(workers), settings={"STORE__URL": redis.url})
    broker.start()
    broker.wait_for(lambda: len(broker.served_by()) == workers)
    pids = sorted(broker.served_by())
    session = set_up(broker.url, planted)
    redis.cli("FLUSHALL")
    broker.wait_for(lambda: not any(broker.answers("/readyz") for _ in range(8 * workers)))
    with Caller(broker.url, planted) as caller:
        ready = caller.request("GET", "/readyz")
        assert (ready.status, ready.body["status"]) == (503, "not ready")
        assert "came back empty" in ready.text
        refused = caller.translate(session_input(session))
        assert (refused.status, "confirm-empty" in refused.text) == (503, True)
        assert int(refused.headers["Retry-After"]) > 0
    assert redis.cli("DBSIZE").strip() == "0"

    assert confirm(broker, redis)[0] == 1  # nobody is there to be asked
    assert redis.cli("DBSIZE").strip() == "0"
    code, said = confirm(broker, redis, "--yes")
    assert code == 0, said
    broker.wait_for(lambda: _all_ready(broker, workers))
    assert sorted(set(broker.served_by())) == pids
    with Caller(broker.url, planted) as caller:
        admin = caller.admin()
        caller.add_user(admin)
        caller.publish(admin, an_instance(oidc="ES256"))
        answer = caller.translate(user_input())
        assert answer.status == 200, answer.text
        assert caller.valid(answer.body["issued_token"])
        assert not caller.session_valid(session)
    assert confirm(broker, redis, "--yes") == (
        1,
        "remint: the store is not empty: its marker is there; nothing was changed\n",
    )
    assert broker.terminate() == 0


def _all_ready(broker: BrokerProcess, workers: int) -> bool:
    """Each process has begun to serve a second time, and answers."""
    served = broker.output().count('"event": "serving"')
    return served == 2 * workers and broker.answers("/readyz")


def test_data_that_come_back_end_the_outage(
    brokers: Brokers, redis: RedisServer, planted: Planted
) -> None:
    """A volume that was missing for one start of Redis costs an outage, and nothing else."""
    broker = brokers("serve", settings={"STORE__URL": redis.url})
    broker.start()
    session = set_up(broker.url, planted)
    redis.kill()
    data, aside = redis.folder / "appendonlydir", redis.folder / "aside"
    data.rename(aside)
    redis.start()
    broker.wait_for(lambda: not broker.answers("/readyz"))
    redis.kill()
    for path in data.iterdir():
        path.unlink()
    data.rmdir()
    aside.rename(data)
    redis.start()
    broker.wait_for(lambda: broker.answers("/readyz"))
    with Caller(broker.url, planted) as caller:
        assert caller.session_valid(session)
        assert caller.translate(session_input(session)).status == 200


def test_a_start_on_an_emptied_store_is_refused(
    brokers: Brokers, redis: RedisServer, planted: Planted
) -> None:
    """A broker that has used the store ends with the sentence that names the way out, again and
    again, until the loss is confirmed; one that never used it may begin it."""
    broker = brokers("serve", settings={"STORE__URL": redis.url})
    broker.start()
    set_up(broker.url, planted)
    broker.kill()
    assert (broker.state / FILE_NAME).stat().st_mode & 0o777 == 0o600
    redis.cli("FLUSHALL")
    for _ in range(2):
        broker.launch()
        assert broker.wait() == 1
    assert broker.output().count("remint store confirm-empty") == 2
    assert redis.cli("DBSIZE").strip() == "0"
    assert confirm(broker, redis, "--yes")[0] == 0
    broker.start()
    with Caller(broker.url, planted) as caller:
        caller.admin()


def test_a_stop_during_the_outage_is_clean(
    brokers: Brokers, redis: RedisServer, planted: Planted
) -> None:
    """A broker that waits for the operator still ends when it is told to."""
    broker = brokers("serve", settings={"STORE__URL": redis.url})
    broker.start()
    redis.cli("FLUSHALL")
    broker.wait_for(lambda: not broker.answers("/readyz"))
    os.kill(broker.pid, signal.SIGTERM)
    assert broker.wait() == 0
    assert planted.found_in([broker.output()]) == []


def test_only_a_redis_can_be_confirmed_empty(tmp_path: Path) -> None:
    """With another store the command says that it does not apply."""
    ran = remint(*CONFIRM, "--yes", state=tmp_path / "state")
    assert (ran.returncode, "only a Redis" in ran.stderr) == (1, True)

"""The servers and brokers of a run, on free ports, in a folder of the run's own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from broker.instance import Instance
from tests.support.caller import Caller, set_up
from tests.support.door import an_instance
from tests.support.mosquitto import Mosquitto, running_mosquitto
from tests.support.planted import Planted
from tests.support.process import BrokerProcess, ended
from tests.support.rabbitmq import RabbitMQ, running_rabbitmq
from tests.support.redis_rules import documented_rules
from tests.support.redis_server import RedisServer, running_redis
from tests.support.sharing import sharer

ELEMENT = "chaos"
REDIS, SQLITE = "redis", "sqlite"
LIFETIME_SECONDS = 86400
LIFE = {"SESSIONS__MAX_IDLE_SECONDS": "86400", "SESSIONS__MAX_LIFE_SECONDS": "86400"}


@dataclass
class World:
    """Everything that may be killed, running. ``session`` is a user's, to be translated."""

    store: str
    """Its URL."""
    redis: RedisServer | None
    rabbitmq: RabbitMQ | None
    mosquitto: Mosquitto | None
    brokers: list[BrokerProcess]
    session: str
    baseline: dict[str, int]
    """Open files of each broker before there was any load, by its URL."""


@contextlib.contextmanager
def opened(
    folder: Path, brokers: int, store: str = REDIS, *, amqp: bool = True, mqtt: bool = True
) -> Iterator[World]:
    """Brokers on one store that serve HTTP, and the message servers that are asked for; no trace
    of the processes afterwards."""
    with contextlib.ExitStack() as stack:
        redis, url = None, f"sqlite:///{folder / 'remint.db'}"
        settings = {
            # What is translated here is a session of the test's own, under a login of its own.
            "AMQP__REQUIRE_ENCRYPTED_CREDENTIALS": "false",
            "MQTT__REQUIRE_ENCRYPTED_CREDENTIALS": "false",
            **LIFE,
        }
        if store == REDIS:
            redis = stack.enter_context(running_redis(documented_rules()))
            redis.empty()
            url = redis.url
        rabbitmq = stack.enter_context(running_rabbitmq()) if amqp else None
        if rabbitmq is not None:
            settings["AMQP__URL"] = rabbitmq.url
        mosquitto = stack.enter_context(running_mosquitto()) if mqtt else None
        if mosquitto is not None:
            settings["MQTT__URL"] = mosquitto.url
        started = [
            stack.enter_context(ended(sharer(folder / f"broker-{number}", url, settings=settings)))
            for number in range(1, brokers + 1)
        ]
        for broker in started:
            broker.launch()
        for broker in started:
            broker.wait_ready()
        session = set_up(started[0].url, Planted())
        with Caller(started[0].url, Planted()) as caller:
            caller.publish(caller.admin(), _instance())
        baseline = {broker.url: open_files(broker) for broker in started}
        yield World(url, redis, rabbitmq, mosquitto, started, session, baseline)


def _instance() -> Instance:
    """Its tokens outlive the run."""
    made = an_instance(ELEMENT, oidc="ES256", saml2="ES256")
    if made.oidc is None or made.saml2 is None:
        raise LookupError("the instance issues neither kind")
    return replace(
        made,
        oidc=replace(made.oidc, lifetime_seconds=LIFETIME_SECONDS),
        saml2=replace(made.saml2, lifetime_seconds=LIFETIME_SECONDS),
    )


def open_files(broker: BrokerProcess) -> int:
    """How many descriptors the broker holds."""
    return len(list(Path(f"/proc/{broker.pid}/fd").iterdir()))

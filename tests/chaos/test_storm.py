"""A sample of the storm: everything is killed a few times under load, and nothing is lost."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.chaos.conftest import Say
from tests.chaos.nemesis import Plan
from tests.chaos.storm import storm

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.xdist_group("chaos")]

REQUESTS = 300
SAMPLE = Plan(
    kills={"broker": 6, "redis": 2, "rabbitmq": 1, "mosquitto": 2},
    stops={"broker": 1},
    terms={"broker": 1},
    pairs=(("broker", "redis"),),
)


async def test_storm(tmp_path: Path, say: Say) -> None:
    """Brokers, Redis, RabbitMQ and Mosquitto are killed, two of them at once, brokers also stopped
    and ended in order, under a load: every accepted request has one answer, no id two tokens, no
    event is lost, and the invariants hold (F1, F5 to F9, F13 to F18, F34 to F36, F41)."""
    seed = random.randrange(2**32)  # noqa: S311 - it keeps no secret
    say(f"seed {seed}")
    verdict = await storm(tmp_path, seed=seed, requests=REQUESTS, plan=SAMPLE, outbox=False)
    say(verdict.report)
    assert verdict.violations == []
    assert verdict.strikes["broker KILL"] == SAMPLE.kills["broker"]
    assert verdict.strikes["redis KILL"] == SAMPLE.kills["redis"]
    assert verdict.strikes["rabbitmq KILL"] == SAMPLE.kills["rabbitmq"]
    assert verdict.strikes["mosquitto KILL"] == SAMPLE.kills["mosquitto"]
    assert verdict.evidence.events
    assert len(verdict.evidence.valid) > REQUESTS / 2

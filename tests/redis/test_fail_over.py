"""The primary of a watched Redis killed under load: Sentinel names another one, and it goes on."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from adapters.stores.redis import load_functions
from tests.redis.conftest import Figure
from tests.support.caller import Caller, set_up
from tests.support.door import ELEMENT, an_instance, session_input
from tests.support.load import (
    Load,
    Said,
    all_valid,
    cancelled,
    claims,
    client,
    presented,
    translated,
)
from tests.support.planted import Planted
from tests.support.process import BrokerProcess
from tests.support.redis_groups import WatchedRedis, running_sentinels
from tests.support.redis_rules import documented_rules
from tests.support.redis_server import RedisServer
from tests.support.sharing import sharing

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.xdist_group("redis-brokers")]

TRANSLATIONS = 1_000
LANES = 32
PAUSE_SECONDS = 0.2
CANCEL_EVERY_SECONDS = 0.02
SOON_SECONDS = 3.0
"""The promise is one second from when Sentinel names another; the rest is for a busy machine."""

HELD_BACK_SECONDS = {0: 0.05, 1: 1.5}
"""By store.wait_replicas: time to answer something; longer than a write waits for a replica."""

FAIL_OVER_SECONDS = 20.0
WITH_ID, WITHOUT_ID = "with-id", "without-id"


@contextmanager
def _two(watched: WatchedRedis, folder: Path, wait_replicas: int) -> Iterator[list[BrokerProcess]]:
    asyncio.run(load_functions(watched.administrator_url))
    settings = {"STORE__WAIT_REPLICAS": str(wait_replicas)}
    with sharing(folder, watched.url, watched.url, settings=settings) as brokers:
        yield brokers


def _prepared(broker: BrokerProcess) -> dict[str, Any]:
    """A session to translate from, and an instance for each kind of request."""
    planted = Planted()
    given = session_input(set_up(broker.url, planted))
    with Caller(broker.url, planted) as caller:
        admin = caller.admin()
        for element in (WITH_ID, WITHOUT_ID):
            caller.publish(admin, an_instance(element, oidc="ES256"))
    return given


@pytest.mark.parametrize("wait_replicas", [1, 0], ids=["waiting for a replica", "not waiting"])
def test_the_primary_killed_in_the_midst_of_translations(
    tmp_path: Path, chance: random.Random, figure: Figure, wait_replicas: int
) -> None:
    """While the primary is killed, each of 1,000 translations ends in a token or in a clean 503, a
    request with an id gets one token, and what was cancelled stays so; with store.wait_replicas
    every token that was handed out is in the store, and without it a lost one is invalid (F29)."""
    with (
        running_sentinels(documented_rules()) as watched,
        _two(watched, tmp_path, wait_replicas) as two,
    ):
        asyncio.run(_fail_over(watched, two, _prepared(two[0]), wait_replicas, chance, figure))


async def _fail_over(
    watched: WatchedRedis,
    two: Sequence[BrokerProcess],
    given: Mapping[str, Any],
    wait_replicas: int,
    chance: random.Random,
    figure: Figure,
) -> None:
    half = TRANSLATIONS // 2
    requests = [(WITH_ID, f"request-{n}") for n in range(half)] + [(WITHOUT_ID, None)] * half
    urls = [broker.url for broker in two]
    async with client() as http:
        load = Load(http, urls, given, chance, pause_seconds=PAUSE_SECONDS)
        cancels = Cancels(http, load, urls, chance)
        held_back = HELD_BACK_SECONDS[wait_replicas]
        nemesis = asyncio.create_task(_kill_the_primary(watched, load, chance, held_back))
        await load.run(requests, LANES)
        killed_at, named_at = await nemesis
        await cancels.stop()

        took = [load.first_after(named_at, url) - named_at for url in urls]
        figure("seconds from the kill until Sentinel named another", named_at - killed_at)
        figure("seconds until the first good answer", took)
        figure("refused", load.refused)
        figure("cancelled", len(cancels.done))
        assert not load.surprises
        assert not cancels.surprises
        assert max(took) < SOON_SECONDS

        kept = [said for said in load.answered if said.token not in cancels.tried]
        for url in urls:
            found = await all_valid(http, [(said.token, said.instance) for said in kept], url)
            gone = await all_valid(http, [(s.token, s.instance) for s in cancels.done], url)
            figure("handed out and lost", found.count(False))
            assert not any(gone)
            assert all(found) or not wait_replicas

        named = {said.key: said for said in kept if said.key}
        for key, said in named.items():
            again = await translated(http, chance.choice(urls), given, WITH_ID, key)
            assert again.status == 200, again
            assert claims(again.token)["jti"] == claims(said.token)["jti"], key


class Cancels:
    """Cancels tokens of a load, one after the other; ``done`` are those that were answered."""

    def __init__(
        self, http: aiohttp.ClientSession, load: Load, urls: Sequence[str], chance: random.Random
    ) -> None:
        self.done: list[Said] = []
        self.tried: set[str] = set()
        self.surprises: list[Said] = []
        self._http, self._load, self._urls = http, load, urls
        self._chance = chance
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(CANCEL_EVERY_SECONDS)
            left = [said for said in self._load.answered if said.token not in self.tried]
            if left:
                await self._cancel(self._chance.choice(left))

    async def _cancel(self, issued: Said) -> None:
        self.tried.add(issued.token)
        url = self._chance.choice(self._urls)
        said = await cancelled(self._http, url, issued.token, issued.instance)
        if said.status == 200:
            self.done.append(issued)
        elif said.status != 503:
            self.surprises.append(said)


async def _kill_the_primary(
    watched: WatchedRedis, load: Load, chance: random.Random, held_back: float
) -> tuple[float, float]:
    """At a random moment, when no replica has the last writes; when that was, and when another one
    took over."""
    await load.more_than(int(TRANSLATIONS * chance.uniform(0.2, 0.6)))
    await asyncio.to_thread(watched.hold_replicas_back)
    await asyncio.sleep(held_back)
    killed_at = asyncio.get_running_loop().time()
    await asyncio.to_thread(watched.primary.kill)
    await asyncio.to_thread(watched.let_replicas_follow)
    return killed_at, await asyncio.to_thread(watched.another_named)


def test_what_no_replica_had(tmp_path: Path, planted: Planted) -> None:
    """Writes that the primary acknowledged and no replica had: a cancel is made again by the
    broker that answered it, and a lost token is invalid until its request is sent again, which
    gives the token of the same id (F29)."""
    with running_sentinels(documented_rules()) as watched, _two(watched, tmp_path, 0) as two:
        given = _prepared(two[0])
        with Caller(two[0].url, planted) as one, Caller(two[1].url, planted) as other:
            cancelled_one = one.translate(given).body["issued_token"]
            watched.primary.wait_replicated(2)
            watched.hold_replicas_back()
            one.cancel(cancelled_one)
            lost = one.translate(given, instance=WITH_ID, key="lost").body["issued_token"]
            assert not other.valid(cancelled_one)
            assert other.valid(lost, instance=WITH_ID)
            watched.primary.kill()
            watched.let_replicas_follow()
            watched.another_named()

            two[0].wait_for(lambda: one.translate(given).status == 200, FAIL_OVER_SECONDS)
            two[1].wait_for(lambda: other.translate(given).status == 200, FAIL_OVER_SECONDS)
            assert not one.valid(cancelled_one)
            assert not other.valid(cancelled_one)
            assert not other.valid(lost, instance=WITH_ID)
            again = other.translate(given, instance=WITH_ID, key="lost").body["issued_token"]
            assert claims(again)["jti"] == claims(lost)["jti"]
            assert one.valid(again, instance=WITH_ID)


def test_nothing_is_answered_that_no_replica_has(
    mortal: RedisServer, tmp_path: Path, planted: Planted
) -> None:
    """With store.wait_replicas and no replica within reach, a translation and a cancel get a clean
    503; once there is one again, asking again with the same id gives the token."""
    replica = mortal.replica(tmp_path / "replica", documented_rules())
    with ExitStack() as stack:
        stack.callback(replica.kill)
        mortal.cli("CONFIG", "SET", "repl-diskless-sync-delay", "0")
        replica.start()
        mortal.wait_replicated()
        waiting = {"STORE__WAIT_REPLICAS": "1"}
        (broker,) = stack.enter_context(sharing(tmp_path, mortal.url, settings=waiting))
        given = _prepared(broker)
        caller = stack.enter_context(Caller(broker.url, planted))
        issued = caller.translate(given).body["issued_token"]

        replica.kill()
        cancel = {"cancelled_token_state": presented(issued)}
        refused = (
            caller.translate(given, instance=WITH_ID, key="one"),
            caller.translate(given, instance=WITHOUT_ID),
            caller.request("POST", f"/rest-sts/{ELEMENT}?_action=cancel", cancel),
        )
        assert [answer.status for answer in refused] == [503] * 3
        assert all(answer.headers["Retry-After"].isdigit() for answer in refused)

        replica.start()
        again = partial(caller.translate, given, instance=WITH_ID, key="one")
        broker.wait_for(lambda: again().status == 200)
        assert caller.valid(again().body["issued_token"], instance=WITH_ID)
        assert len(caller.issued(caller.admin(), WITH_ID)) == 1
        caller.cancel(issued)
        assert not caller.valid(issued)

"""Each case of the bench runs, does what it says it measures, and leaves stores as it found them.

No figure is judged here: machines differ, and that of the tests is busy.
"""

from __future__ import annotations

import asyncio
import os
import time
from argparse import ArgumentParser, Namespace

import pytest
import uvloop

from bench import __main__ as command
from bench.cases import (
    amqp_messages,
    amqp_overload,
    million_tokens,
    redis_coalesced_writes,
    session_to_oidc_es256,
)
from bench.figures import Series, ratio, table
from bench.filled import filled, sqlite_place
from bench.lanes import in_lanes
from bench.load import Request, WrongAnswer, all_answered
from bench.operations import PAGE, Cost, Operations, WrongResult
from bench.process import cpu_seconds
from bench.rabbitmq_server import rabbitmq_server
from bench.redis_server import redis_server
from bench.tokens import INSTANCE, PER_PRINCIPAL, alias, issued, principal
from broker.ports import TokenQuery
from tests.support.ports import free_port

ON_REDIS = (pytest.mark.server, pytest.mark.xdist_group("redis"))


def options_of(case: command.Case, *arguments: str) -> Namespace:
    parser = ArgumentParser()
    case.add_options(parser)
    return parser.parse_args(arguments)


# -- the cases -----------------------------------------------------------------------------------


@pytest.mark.slow
def test_translate() -> None:
    """Broker and floor answer every request, and each round gives a figure of both."""
    result = session_to_oidc_es256.measured(rounds=2, requests=20)
    for series in (result.ours, result.floor):
        assert len(series.values) == 2
        assert min(series.values) > 0


@pytest.mark.slow
@pytest.mark.server
@pytest.mark.xdist_group("rabbitmq")
@pytest.mark.parametrize("size", [1, 10])
def test_amqp_messages(size: int) -> None:
    """Broker and floor answer each message with as many tokens as it asks for."""
    with rabbitmq_server() as url:
        result = amqp_messages.measured(url, size, rounds=2, tokens=20)
    for series in (result.ours, result.floor, result.rate, result.floor_rate):
        assert len(series.values) == 2
        assert min(series.values) > 0


@pytest.mark.slow
@pytest.mark.server
@pytest.mark.xdist_group("rabbitmq")
def test_amqp_overload() -> None:
    """With a long queue every request is answered, the expired ones with a 408, while cancels and
    HTTP go on; the broker's memory does not grow with the queue."""
    seen = amqp_overload.measured(1000)
    assert (seen.statuses, seen.expired) == ({200: 950}, {408: 50})
    assert seen.cancels
    assert seen.http
    assert max(seen.resident) - seen.resident[0] < 100 * 2**20


@pytest.mark.server
@pytest.mark.xdist_group("redis")
def test_redis_writes() -> None:
    """Each way writes as often as it says; as many writes share a trip as there are callers."""
    rounds, writes = 1, 128
    with redis_server() as server:
        result = uvloop.run(redis_coalesced_writes.measured(server, rounds, writes))
        calls = server.admin.info("commandstats")
        indexed = sum(server.admin.zcard(key) for key in server.admin.keys("*:expiry"))
    callers = redis_coalesced_writes.CALLERS
    each_way = (rounds + 1) * len(callers) * writes
    assert indexed == each_way
    assert calls["cmdstat_set"]["calls"] == 3 * each_way
    assert result.writes_a_trip == {number: float(number) for number in callers}
    for series in (result.plain, result.coalesced, result.commits):
        assert {number: len(one.values) for number, one in series.items()} == dict.fromkeys(
            callers, rounds
        )


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite", pytest.param("redis", marks=ON_REDIS)])
def test_million_tokens(kind: str) -> None:
    """Every operation is measured on both sides, in every round but the first."""
    arguments = ("--few", "500", "--tokens", "1000", "--rounds", "2", "--operations", "20")
    sides = million_tokens.measured(kind, options_of(million_tokens, *arguments))
    steps = (*million_tokens.STEPS, *million_tokens.REQUESTS)
    for side, tokens in zip(sides, (500, 1000), strict=True):
        assert side.filled.tokens == tokens
        assert side.filled.bytes_each > 0
        assert len(side.costs) == len(steps)
        for costs in side.costs.values():
            assert len(costs) == 2
            assert all(cost.broker > 0 for cost in costs)
            assert all((cost.server > 0) == (kind == "redis") for cost in costs)


# -- the operations ------------------------------------------------------------------------------


def test_operations_leave_the_store_as_they_found_it() -> None:
    """What a round commits is there until the round cancels it, and nothing else goes with it."""

    async def run() -> None:
        store = await filled(place, PER_PRINCIPAL)
        operations = Operations(store, number_each=20, seed=1)
        tokens = store.stores.tokens
        for _ in range(2):
            assert isinstance(await operations.commit(), Cost)
            assert len(await tokens.query(TokenQuery(principal=principal(500)))) == 20
            await operations.get()
            await operations.page_by_instance()
            await operations.page_by_principal()
            await operations.cancel()
            left = await tokens.query(TokenQuery(instance=INSTANCE))
            assert {record.alias for record in left} == {alias(at) for at in range(PER_PRINCIPAL)}
        await store.stores.close()

    with sqlite_place() as place:
        asyncio.run(run())


def test_a_failing_operation_counts_for_nothing() -> None:
    """What finds another store than it measures on raises, and gives no figure."""

    async def run() -> None:
        store = await filled(place, PAGE)
        operations = Operations(store, number_each=10, seed=1)
        with pytest.raises(WrongResult, match="not full"):
            await operations.page_by_instance()
        with pytest.raises(WrongResult, match="not there to cancel"):
            await operations.cancel()
        for number in range(PAGE):
            await store.stores.tokens.cancel(alias(number))
        with pytest.raises(WrongResult, match="not found"):
            await operations.get()
        await store.stores.close()

    with sqlite_place() as place:
        asyncio.run(run())


def test_tokens_are_told_apart() -> None:
    """Tokens have names of their own, and each principal has the same number of them."""
    records = [issued(number, now=0).record for number in range(2 * PER_PRINCIPAL)]
    assert len({record.alias for record in records}) == len(records)
    assert len({record.token_id for record in records}) == len(records)
    owned = [record for record in records if record.principal == principal(0)]
    assert len(owned) == PER_PRINCIPAL


# -- the command ---------------------------------------------------------------------------------


def test_one_case_by_name(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A case that is named runs alone; without redis-server it says so and goes on."""
    monkeypatch.setenv("PATH", "/nowhere")
    command.main(["redis-writes"])
    said = capsys.readouterr().out
    assert "skipped: there is no redis-server here: apt-get install redis-server" in said
    assert "million-tokens" not in said


def test_all_cases(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a name every case runs, at its quick size."""
    asked: list[Namespace] = []
    for case in command.CASES:
        monkeypatch.setattr(case, "report", lambda options: asked.append(options) or ["a line"])
    command.main([])
    said = capsys.readouterr().out
    names = ("translate", "amqp", "amqp-overload", "redis-writes", "million-tokens")
    assert [name for name in names if f"\n{name}: " in said] == [
        case.NAME for case in command.CASES
    ]
    assert said.count("a line") == len(command.CASES)
    assert asked[-1].tokens == million_tokens.TOKENS


@pytest.mark.parametrize("number", ["0", "100", "1200", "-500"])
def test_a_size_that_leaves_pages_half_empty(
    number: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A size at which pages would not be full is refused with the reason."""
    with pytest.raises(SystemExit):
        options_of(million_tokens, f"--tokens={number}")
    assert "write a multiple of 500" in capsys.readouterr().err


# -- figures and the rest ------------------------------------------------------------------------


def test_figures() -> None:
    """Ratios are taken round by round; median and middle half are those of the ratios."""
    ours, floor = Series((20.0, 33.0, 50.0)), Series((10.0, 11.0, 10.0))
    ratios = ours.over(floor)
    assert ratios.values == (2.0, 3.0, 5.0)
    assert (ratios.low, ratios.median, ratios.high) == (2.5, 3.0, 4.0)
    assert ours.plus(floor).values == (30.0, 44.0, 60.0)
    assert ratio(Series((1.0,))) == "1.000 (1.000-1.000)"
    assert table([("a", "bb"), ("ccc", "d")]) == ["a    bb", "ccc   d"]
    with pytest.raises(ValueError, match="zip"):
        ours.over(Series((1.0,)))


def test_the_clock_of_a_process() -> None:
    """The CPU time that is read of a process is the one that it reads itself."""
    before = time.process_time()
    read = cpu_seconds(os.getpid())
    assert before <= read <= time.process_time()


async def test_lanes() -> None:
    """As many calls as asked for, each number once, never more at once than there are lanes."""
    done: list[int] = []
    at_once = most = 0

    async def call(number: int) -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0)
        at_once -= 1
        done.append(number)

    await in_lanes(call, 20, 4)
    assert sorted(done) == list(range(20))
    assert most == 4


async def test_a_wrong_answer_counts_for_nothing() -> None:
    """A load of requests ends with the first answer that is not what is measured."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    port = free_port()
    async with await asyncio.start_server(answer, "127.0.0.1", port):
        request = Request(f"http://127.0.0.1:{port}/")
        assert await all_answered([request], total=2, in_flight=1, holding=b"no") == [b"no"] * 2
        with pytest.raises(WrongAnswer, match="b'no'"):
            await all_answered([request], total=2, in_flight=1, holding=b"yes")

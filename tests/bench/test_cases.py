"""Each case of the bench runs, does what it says it measures, and leaves stores as it found them.

No figure is judged here: machines differ, and that of the tests is busy.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import uvloop
from typer.testing import CliRunner

from bench import catalog, ours
from bench.case import Case, Say, Stages
from bench.cases import (
    amqp,
    amqp_overload,
    crypto,
    http,
    instances,
    latency,
    memory,
    pipeline,
    providers,
    redis_writes,
    stored_tokens,
    validators,
    workers,
)
from bench.cli import app
from bench.figures import Series
from bench.filled import filled, sqlite_place
from bench.lanes import in_lanes
from bench.load import Request, all_answered
from bench.operations import PAGE, Cost, Operations, WrongResult
from bench.peers import REQUESTS
from bench.process import cpu_seconds
from bench.redis_server import redis_server
from bench.result import Row, Table, read
from bench.rounds import in_turn
from bench.served import NotServed
from bench.target import WrongAnswer
from bench.tokens import INSTANCE, PER_PRINCIPAL, alias, issued, principal
from broker.ports import TokenQuery
from tests.support.ports import free_port

ON_REDIS = (pytest.mark.server, pytest.mark.xdist_group("redis"))
ON_RABBITMQ = (pytest.mark.server, pytest.mark.xdist_group("rabbitmq"))


def rows_of(case: Case[Any], **options: object) -> list[Row]:
    """The rows of a case at its quick size, some options changed."""
    found = case.rows(replace(case.quick or case.full, **options), lambda _: None)
    return [row for row in found if isinstance(row, Row)]


def assert_measured(rows: Sequence[Row], rounds: int) -> None:
    """Both sides gave a figure in each round."""
    assert rows
    for row in rows:
        assert len(row.ours) == rounds
        assert len(row.floor) in (0, rounds)
        assert min(*row.ours, *(row.floor or row.ours)) > 0, row.label


# -- the cases -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("case", "options"),
    [
        (crypto.CASE, {"signatures": 3}),
        (providers.CASE, {"tokens": 5}),
        (pipeline.CASE, {"tokens": 5}),
    ],
    ids=lambda given: given.name if isinstance(given, Case) else "",
)
def test_cases_without_servers(case: Case[Any], options: dict[str, int]) -> None:
    """A case in one process gives figures of both sides in each round."""
    rows = rows_of(case, rounds=2, **options)
    assert_measured(rows, 2)
    assert any(row.floor for row in rows)


@pytest.mark.slow
def test_validators() -> None:
    """Every kind of token that is taken is validated, that of a password beside its bare hash."""
    rows = rows_of(validators.CASE, rounds=2, tokens=5)
    assert_measured(rows, 2)
    assert {row.facts["input"] for row in rows} == {"USERNAME", "OPENAM", "OPENIDCONNECT", "OPAQUE"}
    assert rows[0].floor


@pytest.mark.slow
@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=case.name, marks=ON_REDIS if "redis" in case.name else ())
        for case in http.CASES
    ],
)
def test_http(case: Case[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each kind of translation is measured beside its floor; Redis' own part is told apart."""
    shown = http.TRANSLATIONS if case.name == "http-memory" else http.TRANSLATIONS[-1:]
    monkeypatch.setattr(http, "TRANSLATIONS", shown)
    rows = rows_of(case, rounds=2, requests=20)
    assert_measured(rows, 2)
    assert [row.label for row in rows] == [one.label for one in shown]
    assert all(row.floor for row in rows)
    assert all(("cpu_redis" in row.facts) == ("redis" in case.name) for row in rows)


@pytest.mark.slow
@pytest.mark.parametrize(
    "case",
    [pytest.param(case, id=case.name, marks=ON_RABBITMQ) for case in amqp.CASES],
)
def test_amqp(case: Case[Any]) -> None:
    """Single messages and batches are answered on both sides; the largest batch also stands beside
    the bare signatures."""
    rows = rows_of(case, rounds=2, tokens=20, largest=20)
    assert_measured(rows, 2)
    assert all(row.floor for row in rows)
    assert all(row.facts["cpu_rabbitmq"] for row in rows)
    batches = [row.facts["batch"] for row in rows if row.facts["algorithm"] == "ES256"]
    assert batches == [1, 10, 20, 20]


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


@pytest.mark.slow
@pytest.mark.server
@pytest.mark.xdist_group("redis")
def test_workers() -> None:
    """Several workers stand beside one, with as many in flight and with as many for each, and
    beside brokers with nothing in common, which are not judged."""
    one, *others = rows_of(workers.CASE, rounds=2, requests=40)
    assert_measured([one, *others], 2)
    assert [row.floor for row in others] == [one.ours] * 3
    assert [row.target is None for row in (one, *others)] == [True, False, False, True]
    assert [row.facts.get("workers") for row in (one, *others)] == [1, 2, None, None]
    assert [row.facts["in_flight"] for row in (one, *others)] == [32, 32, 64, 64]
    assert all(row.facts["tokens_per_second"] for row in (one, *others))


@pytest.mark.slow
def test_instances() -> None:
    """Every published instance is asked, and more of them stand beside a single one."""
    rows = rows_of(instances.CASE, most=3, rounds=2, requests=6)
    assert_measured(rows, 2)
    assert [row.facts["instances"] for row in rows] == [1, 3]
    assert rows[1].floor == rows[0].ours


@pytest.mark.slow
@pytest.mark.server
@pytest.mark.xdist_group("redis")
def test_latency() -> None:
    """Stages at parts of the saturation are kept as a run, and those at 70 % judged beside it."""
    options = replace(latency.CASE.full, percents="70", seconds=1, rounds=1)
    stages, row = latency.CASE.rows(options, lambda _: None)
    assert isinstance(stages, Stages)
    assert isinstance(row, Row)
    (stage,) = stages.measured
    assert stage.checked
    assert stage.answered
    assert set(stage.server_cpu) == {"broker", "redis"}
    assert_measured([row], 1)


@pytest.mark.slow
@pytest.mark.server
@pytest.mark.xdist_group("redis")
def test_memory() -> None:
    """A worker is weighed before the first translation and after each tenth of them."""
    rows = rows_of(memory.CASE, translations=200, sessions=10)
    assert [row.facts.get("after") for row in rows[:-2]] == list(range(0, 201, 20))
    assert rows[-2].floor == rows[1].ours


@pytest.mark.server
@pytest.mark.xdist_group("redis")
def test_redis_writes() -> None:
    """Each way writes as often as it says; as many writes share a trip as there are callers."""
    rounds, writes = 1, 128
    with redis_server() as server:
        result = uvloop.run(redis_writes.measured(server, rounds, writes))
        calls = server.admin.info("commandstats")
        indexed = sum(server.admin.zcard(key) for key in server.admin.keys("*:expiry"))
    callers = redis_writes.CALLERS
    each_way = (rounds + 1) * len(callers) * writes
    assert indexed == each_way
    assert calls["cmdstat_set"]["calls"] == 4 * each_way
    assert result.trips == {number: [float(number)] for number in callers}
    ways = ("plain", "SET", "commit", "pipeline")
    assert set(result.taken) == {(way, number) for way in ways for number in callers}
    assert {len(values) for values in result.taken.values()} == {rounds}


@pytest.mark.slow
@pytest.mark.parametrize("store", ["sqlite", pytest.param("redis", marks=ON_REDIS)])
def test_stored_tokens(store: str) -> None:
    """Every operation is measured on both sides, in every round but the first."""
    options = stored_tokens.Options(store, tokens=1000, few=500, rounds=2, operations=20)
    sides = stored_tokens.measured(options, lambda _: None)
    steps = (*stored_tokens.STEPS, *stored_tokens.REQUESTS)
    for side, tokens in zip(sides, (500, 1000), strict=True):
        assert side.filled.tokens == tokens
        assert side.filled.bytes_each > 0
        assert len(side.costs) == len(steps)
        for costs in side.costs.values():
            assert len(costs) == 2
            assert all(cost.broker > 0 for cost in costs)
            assert all((cost.server > 0) == (store == "redis") for cost in costs)


@pytest.mark.slow
@pytest.mark.parametrize("store", ["memory", pytest.param("redis", marks=ON_REDIS)])
def test_ours_beside_peers(store: str, tmp_path: Path) -> None:
    """Remint answers each request that peers are asked with a token that stands up to a judge."""
    with ours.running(tmp_path, store=store) as loaded:
        assert set(loaded) <= set(REQUESTS)
        for one in loaded.values():
            (body,) = one.target.bodies(1)
            request = Request(one.target.url, body, one.target.head)
            (answer,) = asyncio.run(
                all_answered([request], total=1, in_flight=1, holding=b"issued")
            )
            assert one.target.check(body, answer)
            asyncio.run(one.target.check_kept([answer]))
            assert set(one.processes) == {"broker", *(["redis"] if store == "redis" else [])}


def test_ours_on_an_unknown_store(tmp_path: Path) -> None:
    """A store that there is not is refused before anything is started."""
    with pytest.raises(ValueError, match="no store tape"), ours.running(tmp_path, store="tape"):
        pass


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


def a_case(name: str, rows: Callable[[crypto.Options, Say], Any]) -> Case[crypto.Options]:
    options = crypto.Options(rounds=2)
    return Case(name, f"the title of {name}", "a floor", options, options, rows)


def ran(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, arguments)
    return result.exit_code, " ".join(result.output.split())


@pytest.fixture
def two_cases(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two cases that take no time; the names of those that were measured."""
    measured: list[str] = []

    def rows(name: str) -> Callable[[crypto.Options, Say], list[Row]]:
        def found(options: crypto.Options, say: Say) -> list[Row]:
            measured.append(name)
            return [Row("a row", "µs", (2.0,) * options.rounds, (1.0,) * options.rounds, 1.5)]

        return found

    monkeypatch.setattr("bench.running.CASES", [a_case(one, rows(one)) for one in ("one", "two")])
    return measured


def test_all_cases(two_cases: list[str], tmp_path: Path) -> None:
    """Without a name every case runs; its table is shown beside its target and kept as JSON."""
    code, said = ran("cases", "--out", str(tmp_path))
    assert code == 0
    assert two_cases == ["one", "two"]
    assert "one: the title of one" in said
    assert "2.000 (2.000-2.000) ≤ 1.5" in said
    table = read(tmp_path / "two.json")
    assert isinstance(table, Table)
    assert table.rows[0].ratios == (2.0, 2.0)
    assert table.circumstances.machine["cores"] == os.cpu_count()


def test_one_case_by_name(two_cases: list[str], tmp_path: Path) -> None:
    """A case that is named runs alone, with the options that are given."""
    code, _ = ran("cases", "two", "-o", "rounds=3", "--out", str(tmp_path))
    table = read(tmp_path / "two.json")
    assert isinstance(table, Table)
    assert (code, two_cases, len(table.rows[0].ours)) == (0, ["two"], 3)
    assert table.circumstances.configuration["rounds"] == "3"


def test_resume(two_cases: list[str], tmp_path: Path) -> None:
    """A case whose document is there is left out; one whose document was cut short is not."""
    assert ran("cases", "--out", str(tmp_path))[0] == 0
    path = tmp_path / "two.json"
    path.write_text(path.read_text()[:100])
    code, said = ran("cases", "--resume", "--out", str(tmp_path))
    assert code == 0
    assert two_cases == ["one", "two", "two"]
    assert "one: already in" in said
    assert isinstance(read(path), Table)


def test_a_wrong_answer_ends_the_run(
    two_cases: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a case measured until a wrong answer is not kept, and no other case runs."""

    def rows(options: crypto.Options, say: Say) -> Any:
        yield Row("a row", "µs", (1.0,))
        raise WrongAnswer("no token")

    cases = [a_case("wrong", rows), a_case("next", rows)]
    monkeypatch.setattr("bench.running.CASES", cases)
    code, said = ran("cases", "--out", str(tmp_path))
    assert code == 1
    assert "wrong: counts for nothing: no token" in said
    assert "next" not in said
    assert list(tmp_path.iterdir()) == []


def test_a_broker_that_does_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A case whose broker does not start is named, the next one measured, the exit code 1."""

    def rows(*_: object) -> list[Row]:
        raise NotServed("the broker did not start")

    following = a_case("following", lambda *_: [Row("a row", "µs", (1.0,))])
    monkeypatch.setattr("bench.running.CASES", [a_case("first", rows), following])
    code, said = ran("cases", "--out", str(tmp_path))
    assert code == 1
    assert "first: could not be measured: the broker did not start" in said
    assert [path.name for path in tmp_path.iterdir()] == ["following.json"]


@pytest.mark.parametrize(
    ("case", "words"),
    [
        (redis_writes.CASE, "there is no redis-server here: apt-get install redis-server"),
        (amqp.CASES[0], "there is no RabbitMQ here: apt-get install rabbitmq-server"),
    ],
    ids=["redis", "rabbitmq"],
)
def test_a_missing_server(
    case: Case[Any], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its server a case says so, and the run goes on."""
    following = a_case("following", lambda *_: [Row("a row", "µs", (1.0,))])
    monkeypatch.setattr("bench.running.CASES", [case, following])
    monkeypatch.setenv("PATH", "/nowhere")
    code, said = ran("cases", "--out", str(tmp_path))
    assert code == 0
    assert f"{case.name}: skipped: {words}" in said
    assert [path.name for path in tmp_path.iterdir()] == ["following.json"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nothing",), "there is no case nothing"),
        (("one", "-o", "rounds=none"), "rounds is a number from 1 on, not none"),
        (("one", "-o", "rounds=0"), "rounds is a number from 1 on, not 0"),
        (("one", "-o", "colour=1"), "colour is none of its options: rounds, signatures"),
        (("one", "-o", "rounds"), "takes NAME=VALUE"),
        (("-o", "rounds=1"), "name one case"),
        (("--resume",), "--resume needs the --out"),
    ],
)
def test_what_cannot_be_measured(
    arguments: tuple[str, ...], words: str, two_cases: list[str]
) -> None:
    """A name or option that there is not is refused with the reason, before anything runs."""
    code, said = ran("cases", *arguments)
    assert code == 2
    assert words in said.replace("│ ", "").replace(" │", "")
    assert two_cases == []


@pytest.mark.parametrize("number", [100, 1200])
def test_a_size_that_leaves_pages_half_empty(number: int, tmp_path: Path) -> None:
    """A size at which pages would not be full is refused with the reason."""
    option = f"tokens={number}"
    code, said = ran("cases", "stored-tokens-sqlite", "-o", option, "--out", str(tmp_path))
    assert code == 2
    assert "tokens is a multiple of 500" in said.replace("│ ", "").replace(" │", "")


def test_list() -> None:
    """Every case is listed with its floor and its options."""
    code, said = ran("list")
    assert code == 0
    for case in catalog.CASES:
        assert f"{case.name}: {' '.join(case.title.split())}" in said
        assert f"floor: {' '.join(case.formula.split())}" in said
    assert "tokens=1000000" in said


def test_names_of_cases() -> None:
    """No two cases share a name, and each says what its floor is made of."""
    assert len({case.name for case in catalog.CASES}) == len(catalog.CASES)
    assert all(case.formula for case in catalog.CASES)


# -- figures and the rest ------------------------------------------------------------------------


def test_figures() -> None:
    """Median and middle half are those of the rounds; one round is its own middle."""
    series = Series((2.0, 3.0, 5.0))
    assert (series.low, series.median, series.high) == (2.5, 3.0, 4.0)
    assert (Series((1.0,)).low, Series((1.0,)).high) == (1.0, 1.0)


def test_rounds_in_turn() -> None:
    """Sides take turns, the first round counts for nothing, and the order is reversed each time."""
    order: list[str] = []
    sides = [lambda: order.append("a") or 1.0, lambda: order.append("b") or 2.0]
    assert in_turn(sides, 2) == [[1.0, 1.0], [2.0, 2.0]]
    assert "".join(order) == "baabba"


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

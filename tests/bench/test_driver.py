"""The load driver: its two models, its processes, and what it makes of every kind of trouble."""

from __future__ import annotations

import asyncio
import os
import signal
from array import array
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from bench.driver.load import Closed, Open, Stage
from bench.driver.plan import NotPlanned, Planned, Ramp, steps
from bench.driver.processes import DriverFailed, driven
from bench.driver.run import WRONG, Bench, Rules
from bench.driver.samples import BLOCK, LEAST, Sampler
from bench.driver.schedule import Segment, TooMany, moments
from bench.driver.search import Bounds, saturation
from bench.histogram import Histogram
from bench.pool import Pool
from bench.result import Measured
from bench.selfcheck.stubs import stub
from tests.bench.driving import Numbers, echo, fleet_of, one_stage, staged
from tests.bench.scripted import GOOD, Answer, always, scripted
from tests.support.ports import free_port

EVEN = Open(50, "even")


# -- when requests begin -------------------------------------------------------------------------


def scheduled(*segments: Segment, arrivals: str = "even", parts: int = 1) -> array[float]:
    together = [
        moments(segments, arrivals=arrivals, seed=f"seed/{part}", part=part, parts=parts)
        for part in range(parts)
    ]
    return array("d", sorted(moment for part in together for moment in part))


@pytest.mark.parametrize("parts", [1, 3])
def test_even_arrivals(parts: int) -> None:
    """Even arrivals are evenly spaced, however many processes share them."""
    assert scheduled(Segment(10, 10, 2), parts=parts) == pytest.approx(
        [number / 10 for number in range(20)]
    )


@pytest.mark.parametrize("parts", [1, 3])
def test_poisson_arrivals(parts: int) -> None:
    """Poisson arrivals have the rate, distances as spread as their mean, and come from the seed."""
    found = scheduled(Segment(1000, 1000, 10), arrivals="poisson", parts=parts)
    assert len(found) == pytest.approx(10_000, rel=0.05)
    distances = [after - before for before, after in pairwise(found)]
    mean = sum(distances) / len(distances)
    spread = (sum((one - mean) ** 2 for one in distances) / len(distances)) ** 0.5
    assert spread == pytest.approx(mean, rel=0.1)
    assert found == scheduled(Segment(1000, 1000, 10), arrivals="poisson", parts=parts)


def test_ramp_arrivals() -> None:
    """While the rate goes from 100 to 300 a second, each half has as many as its mean says."""
    found = scheduled(Segment(100, 300, 10))
    assert len(found) == 2000
    assert sum(1 for moment in found if moment < 5) == pytest.approx(750, abs=1)
    assert max(found) < 10


def test_too_many_requests() -> None:
    """A stage that no memory could hold is refused before it begins."""
    with pytest.raises(TooMany):
        scheduled(Segment(1e6, 1e6, 1e4))


@pytest.mark.parametrize("text", ["", "1:2", "a:b:c", "1:2:0", "-1:2:3"])
def test_ramp_refused(text: str) -> None:
    """A ramp that is not three positive numbers is refused with an example."""
    with pytest.raises(NotPlanned, match="50:500:60"):
        Ramp.read(text)


@pytest.mark.parametrize("text", ["", "1,,2", "1,x", "0"])
def test_steps_refused(text: str) -> None:
    """Steps that are not positive rates are refused with an example."""
    with pytest.raises(NotPlanned, match="100,200,400"):
        steps(text)


@pytest.mark.parametrize(
    "stage", [Stage(Open(0), 1), Stage(Closed(0), 1), Stage(EVEN, 0), Stage(EVEN, 1, -1)]
)
def test_stage_refused(stage: Stage) -> None:
    """A stage without load or time is refused."""
    with pytest.raises(NotPlanned):
        Planned.of(stage, "test")


# -- which answers are kept ----------------------------------------------------------------------


@pytest.mark.parametrize("answers", [1, LEAST, LEAST + 1, 1000, 12_345])
def test_samples(answers: int) -> None:
    """One answer in a hundred is kept at least, the first twenty in any case, and not many more."""
    sampler = Sampler("seed")
    for number in range(answers):
        sampler.offer(number, b"")
    kept = len(sampler.kept)
    assert max(min(answers, LEAST), answers // BLOCK) <= kept <= LEAST + answers // BLOCK + 1


# -- the models ----------------------------------------------------------------------------------


async def test_open_model(tmp_path: Path) -> None:
    """Every request of the schedule is sent once, warm-up not counted, each with its own body."""
    async with scripted(always(GOOD)) as server:
        measured = await one_stage(fleet_of(tmp_path, server.url), Stage(EVEN, 1.0, 0.5))
    assert (measured.sent, measured.answered, measured.errors) == (50, 50, {})
    assert sorted(server.bodies, key=int) == [b"%d" % number for number in range(75)]
    assert measured.distinct == 50
    assert len(measured.latency) == len(measured.service) == len(measured.lag) == 50
    assert measured.seconds >= 1.0


async def test_closed_model(tmp_path: Path) -> None:
    """No more requests are under way than asked for, and one follows the other."""
    under_way: set[bytes] = set()
    most = 0

    async def answer(body: bytes) -> list[bytes]:
        nonlocal most
        under_way.add(body)
        most = max(most, len(under_way))
        await asyncio.sleep(0.01)
        under_way.discard(body)
        return [GOOD]

    async with scripted(answer) as server:
        fleet = fleet_of(tmp_path, server.url, lanes=8, bodies=10_000)
        measured = await one_stage(fleet, Stage(Closed(3), 1.0, 0.2), bodies=10_000)
    assert most == 3
    assert measured.answered == measured.sent > 3
    assert not len(measured.lag)


async def test_stall_is_seen(tmp_path: Path) -> None:
    """A server that stands still for a second of three shows it in the percentiles of everybody who
    would have asked meanwhile: a third of all requests, not the few that were under way."""
    async with stub([0.001]) as server:
        fleet = fleet_of(tmp_path, server.url, lanes=4, bodies=1000)
        async with driven(fleet, 1000) as drivers:
            planned = Planned.of(Stage(Open(100, "even"), 3.0), "test")
            (measured,), _ = await staged(
                drivers, planned, started=lambda start: server.stall(start + 1, 1.0)
            )
    assert measured.answered == 300
    # A third of the requests waited for an even share of the second.
    assert measured.latency.percentile(99) >= 0.9
    assert measured.latency.percentile(90) >= 0.6
    assert measured.latency.percentile(75) >= 0.15
    # The four under way waited for the server, all others for one of the four.
    assert measured.service.percentile(95) < measured.latency.percentile(95)


async def test_stall_hidden_by_closed_model(tmp_path: Path) -> None:
    """The same stall in a closed model meets only the requests under way: it hides the others."""
    async with stub([0.001]) as server:
        fleet = fleet_of(tmp_path, server.url, lanes=1, bodies=100_000)
        async with driven(fleet, 100_000) as drivers:
            planned = Planned.of(Stage(Closed(1), 3.0), "test")
            (measured,), _ = await staged(
                drivers, planned, started=lambda start: server.stall(start + 1, 1.0)
            )
    assert measured.latency.percentile(100) >= 0.9
    assert measured.latency.percentile(90) < 0.5


async def test_stall_at_the_end(tmp_path: Path) -> None:
    """Requests that a server never answers are waited for, then count as timeouts: those under way
    and those whose turn did not come."""

    async def never(_: bytes) -> list[bytes]:
        await asyncio.Event().wait()
        return []

    async with scripted(never) as server:
        fleet = fleet_of(tmp_path, server.url, lanes=2, timeout=0.3)
        measured = await one_stage(fleet, Stage(EVEN, 1.0))
    assert (measured.sent, measured.answered, measured.errors) == (50, 0, {"timeout": 50})


async def test_waiting_counts(tmp_path: Path) -> None:
    """With one connection for more than it can take, requests wait, and their wait is latency."""

    async def slow(_: bytes) -> list[bytes]:
        await asyncio.sleep(0.05)
        return [GOOD]

    async with scripted(slow) as server:
        fleet = fleet_of(tmp_path, server.url, lanes=1)
        measured = await one_stage(fleet, Stage(EVEN, 1.0))
    assert measured.answered == 50
    assert measured.seconds >= 2.5
    assert measured.rate <= 20
    assert measured.latency.percentile(100) >= 1.4
    assert measured.service.percentile(50) < measured.latency.percentile(50)


async def test_pool_goes_round(tmp_path: Path) -> None:
    """Once all bodies were sent they are sent again; only the first time counts as different."""
    async with scripted(always(GOOD)) as server:
        fleet = fleet_of(tmp_path, server.url, bodies=10)
        async with driven(fleet, 10) as drivers:
            (first,), _ = await staged(drivers, Planned.of(Stage(EVEN, 0.5), "1"))
            (second,), _ = await staged(drivers, Planned.of(Stage(EVEN, 0.5), "2"))
    assert (first.sent, first.distinct) == (25, 10)
    assert (second.sent, second.distinct) == (25, 0)
    assert [server.bodies.count(b"%d" % number) for number in range(10)] == [5] * 10


async def test_tokens_go_round(tmp_path: Path) -> None:
    """Where fewer tokens than bodies were there, each counts the first time that it is shown, in
    whichever stage that is."""
    async with scripted(always(GOOD)) as server:
        fleet = replace(fleet_of(tmp_path, server.url), different=40)
        async with driven(fleet, 100) as drivers:
            (first,), _ = await staged(drivers, Planned.of(Stage(EVEN, 0.5), "1"))
            (second,), _ = await staged(drivers, Planned.of(Stage(EVEN, 0.5), "2"))
            (third,), _ = await staged(drivers, Planned.of(Stage(EVEN, 0.5), "3"))
    assert [one.distinct for one in (first, second, third)] == [25, 15, 0]
    assert [one.sent for one in (first, second, third)] == [25, 25, 25]


async def test_ramp_windows(tmp_path: Path) -> None:
    """A ramp is measured in windows of rising rates, each request in one of them."""
    async with scripted(always(GOOD)) as server:
        fleet = fleet_of(tmp_path, server.url, bodies=200)
        async with driven(fleet, 200) as drivers:
            planned = Ramp(10, 110, 2).planned("even", 0.0)
            measured, _ = await staged(drivers, planned)
    assert [one.stage.load.rate for one in measured if isinstance(one.stage.load, Open)] == (
        pytest.approx([15 + 10 * number for number in range(10)])
    )
    assert sum(one.answered for one in measured) == len(server.bodies) == planned.requests == 120
    assert measured[-1].sent > measured[0].sent


# -- every kind of failure -----------------------------------------------------------------------


async def hung(_: bytes) -> list[bytes]:
    await asyncio.sleep(30)
    return []


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (always(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"), "status 503"),
        (always(b""), "connection"),
        (always(b"nonsense\r\n\r\n"), "parse"),
        (hung, "timeout"),
    ],
    ids=["status", "connection", "parse", "timeout"],
)
@pytest.mark.parametrize("load", [EVEN, Closed(2)], ids=["open", "closed"])
async def test_errors_by_kind(
    tmp_path: Path, answer: Answer, kind: str, load: Open | Closed
) -> None:
    """Each failure is counted by its kind, and none of them has a latency."""
    async with scripted(answer) as server:
        measured = await one_stage(
            fleet_of(tmp_path, server.url, lanes=50, timeout=0.3), Stage(load, 0.5)
        )
    assert measured.sent > 0
    assert measured.errors == {kind: measured.sent}
    assert (measured.answered, len(measured.latency)) == (0, 0)


async def test_some_errors(tmp_path: Path) -> None:
    """Good answers keep their latency beside failures of several kinds."""

    async def answer(body: bytes) -> list[bytes]:
        kinds = [GOOD, b"", b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"]
        return [kinds[int(body) % 3]]

    async with scripted(answer) as server:
        measured = await one_stage(fleet_of(tmp_path, server.url), Stage(Open(60, "even"), 0.5))
    assert measured.answered == len(measured.latency) == 10
    assert measured.errors == {"connection": 10, "status 500": 10}


# -- several processes ---------------------------------------------------------------------------


async def test_processes_merged(tmp_path: Path) -> None:
    """Two processes share rate, lanes and bodies, and their results are one."""
    seen: list[int] = []
    async with scripted(always(GOOD)) as server:
        fleet = fleet_of(tmp_path, server.url, lanes=5, processes=2)
        async with driven(fleet, 100) as drivers:
            assert len(drivers.pids) == 2
            assert server.connections == 5
            planned = Planned.of(Stage(EVEN, 1.5), "test")
            (measured,), windows = await staged(
                drivers, planned, shown=lambda all_of: seen.append(len(all_of))
            )
    assert [part.tally.sent for part in windows[0]] == [38, 37]
    assert (measured.sent, measured.answered, measured.distinct) == (75, 75, 75)
    assert len(set(server.bodies)) == 75
    assert len(measured.latency) == 75
    assert seen
    assert set(seen) == {2}


async def test_no_more_processes_than_lanes(tmp_path: Path) -> None:
    """A process without anything to do is not started."""
    async with scripted(always(GOOD)) as server:
        fleet = fleet_of(tmp_path, server.url, lanes=2, processes=5)
        assert len(fleet.setups(100)) == 2
        assert len(fleet.setups(1)) == 1
        async with driven(fleet, 100) as drivers:
            assert len(drivers.pids) == 2


async def test_driver_killed(tmp_path: Path) -> None:
    """A driver process that dies ends the run with a sentence, and the others with it."""
    pids: list[int] = []

    async def killed_meanwhile(url: str) -> None:
        async with driven(fleet_of(tmp_path, url, processes=2), 100) as drivers:
            pids.extend(drivers.pids)
            planned = Planned.of(Stage(EVEN, 60), "test")
            await staged(drivers, planned, shown=lambda _: os.kill(pids[1], signal.SIGKILL))

    async with scripted(always(GOOD)) as server:
        with pytest.raises(DriverFailed, match="driver process 1 was ended by SIGKILL"):
            await killed_meanwhile(server.url)
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


async def test_nobody_listens(tmp_path: Path) -> None:
    """Where nobody listens the run ends before it begins, with what the system says."""
    with pytest.raises(DriverFailed, match=r"Connect call failed|refused"):
        await one_stage(fleet_of(tmp_path, f"http://127.0.0.1:{free_port()}/"), Stage(EVEN, 1))


# -- a run: verified, judged, stopped ------------------------------------------------------------


async def echoed(body: bytes) -> list[bytes]:
    return [echo(body)]


async def bench_of(
    folder: Path, answer: Answer, *stages: Stage, stop_at: float | None = None
) -> tuple[list[Measured], Numbers]:
    """Stages of a run against a target that knows its answers."""
    async with scripted(answer) as server:
        fleet = fleet_of(folder, server.url)
        target = Numbers(server.url)
        async with driven(fleet, 100) as drivers:
            with Pool(fleet.pool) as pool:
                bench = Bench(drivers, target, pool, pids={"test": os.getpid()})
                if stop_at is not None:
                    asyncio.get_running_loop().call_later(stop_at, drivers.stop)
                found = []
                for number, stage in enumerate(stages):
                    if not bench.stopped:
                        found += await bench.measured(Planned.of(stage, str(number)), Rules())
    return found, target


async def test_verified(tmp_path: Path) -> None:
    """One answer in a hundred, and twenty at least, are verified; the server's CPU is known."""
    (measured,), target = await bench_of(tmp_path, echoed, Stage(EVEN, 1.0))
    assert measured.checked == len(target.kept) >= 20
    assert measured.server_cpu["test"] > 0
    assert measured.server_memory["test"] > 0
    assert not any(WRONG in problem for problem in measured.problems)


async def test_wrong_answer(tmp_path: Path) -> None:
    """One wrong answer makes the stage invalid and ends the run."""
    found, _ = await bench_of(tmp_path, always(GOOD), Stage(EVEN, 0.5), Stage(EVEN, 0.5))
    assert len(found) == 1
    assert any(problem.startswith(WRONG) for problem in found[0].problems)


async def test_same_token_in_two_stages(tmp_path: Path) -> None:
    """A token that two stages got is a wrong answer too."""

    stage = Stage(Open(100, "even"), 1.0)  # as many as there are bodies
    found, _ = await bench_of(tmp_path, echoed, stage, stage)
    assert not any(WRONG in problem for problem in found[0].problems)
    assert any("two requests got the same token" in problem for problem in found[1].problems)


async def test_stopped(tmp_path: Path) -> None:
    """A run that is stopped keeps what it measured until then, says so, and begins nothing new."""
    found, _ = await bench_of(tmp_path, echoed, Stage(EVEN, 60), Stage(EVEN, 60), stop_at=3.0)
    (measured,) = found
    assert 0 < measured.answered == measured.sent < 60 * 50
    assert any(problem.startswith("stopped after") for problem in measured.problems)
    assert measured.seconds < 60


# -- searching for the highest rate --------------------------------------------------------------


def shown(rate: float, capacity: float, problems: tuple[str, ...] = ()) -> Measured:
    """What a server of a capacity shows under a rate."""
    latency = Histogram()
    latency.record(0.01 if rate <= capacity else 1.0)
    empty = Histogram()
    sent = int(rate * 10)
    return Measured(
        *(Stage(Open(rate), 10), 10.0, sent, sent, {}, latency, latency, empty, 0.1, sent),
        problems=problems,
    )


@pytest.mark.parametrize("capacity", [3.0, 49.0, 50.0, 777.0, 5000.0])
async def test_saturation(capacity: float) -> None:
    """The search ends within a tenth of what the server can do, from above and from below."""

    async def measure(rate: float) -> Measured:
        return shown(rate, capacity)

    found = await saturation(measure, bounds=Bounds())
    assert found.highest is not None
    load = found.highest.stage.load
    assert isinstance(load, Open)
    assert capacity / 1.1 <= load.rate <= capacity
    assert "p99 was 1000 ms, above 100 ms" in found.reason


async def test_saturation_of_nothing() -> None:
    """Where no rate is kept up with there is no highest one, and the search ends."""

    async def measure(rate: float) -> Measured:
        return shown(rate, 0.0)

    found = await saturation(measure, bounds=Bounds())
    assert found.highest is None


async def test_saturation_disturbed() -> None:
    """A stage that the machine spoilt is measured again before it is held against the server."""
    spoilt = iter([("requests began late",), (), ("requests began late",)])

    async def measure(rate: float) -> Measured:
        return shown(rate, 200.0, next(spoilt, ()))

    found = await saturation(measure, bounds=Bounds(), first=150.0)
    assert found.highest is not None
    assert isinstance(found.highest.stage.load, Open)
    assert found.highest.stage.load.rate >= 200 / 1.1


@pytest.mark.parametrize(
    ("errors", "answered", "words"),
    [({"timeout": 5}, 95, "failed"), ({}, 90, "of the offered rate")],
)
def test_bounds(errors: dict[str, int], answered: int, words: str) -> None:
    """Failures and unanswered requests are said as the reason why a server did not keep up."""
    latency = Histogram()
    latency.record(0.01)
    measured = Measured(
        *(Stage(Open(10), 10), 10.0, 100, answered, errors, latency, latency, Histogram(), 0.1, 100)
    )
    assert words in (Bounds().exceeded(measured) or "")

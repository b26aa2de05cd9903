"""Each rule that makes figures invalid, and the hit rates of a server's caches."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from bench.caches import counted, hit_rates, parsed
from bench.driver.load import Closed, Open, Stage
from bench.histogram import Histogram
from bench.result import Measured
from bench.target import NotPrepared, Target
from bench.target.options import ClientAuthentication, Kind, TargetOptions, target_from
from bench.validity import judged


def histogram(*seconds: float) -> Histogram:
    found = Histogram()
    for one in seconds:
        found.record(one)
    return found


def good(**replaced: Any) -> Measured:
    """Ten seconds at 100 requests a second, with nothing to complain of."""
    plain = Measured(
        stage=Stage(Open(100.0, "even"), seconds=10.0),
        seconds=10.0,
        sent=1000,
        answered=1000,
        errors={},
        latency=histogram(*[0.002] * 1000),
        service=histogram(*[0.002] * 1000),
        lag=histogram(*[0.0005] * 1000),
        driver_cpu=0.3,
        distinct=1000,
        checked=20,
    )
    return replace(plain, **replaced)


def problems(measured: Measured, **more: Any) -> str:
    return " / ".join(judged(measured, **more).problems)


def test_good_figures() -> None:
    """Figures without a fault stay valid, in an open model and a closed one."""
    assert judged(good()).valid
    assert judged(good(stage=Stage(Closed(8), 10.0), lag=Histogram())).valid


@pytest.mark.parametrize(
    ("replaced", "sentence"),
    [
        ({"lag": histogram(*[0.0005] * 900, *[0.02] * 100)}, "began late.* 20.0 ms"),
        ({"driver_cpu": 0.97}, "driver process was busy for 97%"),
        ({"steal": 0.12}, "gave 12% of the machine's time"),
        ({"answered": 0, "errors": {"timeout": 1000}}, "nothing was answered"),
        (
            {"answered": 998, "errors": {"timeout": 1, "status 503": 1}},
            r"2 of 1000 requests failed \(status 503: 1, timeout: 1\)",
        ),
        ({"seconds": 11.0}, "did not keep up: 91 of 100 a second"),
        ({"distinct": 400}, "1000 requests showed 400 different tokens"),
        ({"caches": {"jwks": 0.0, "tokens": 0.25}}, "cache tokens answered 25.0%"),
        ({"checked": 0}, "0 of 1000 answers were verified"),
    ],
)
def test_each_rule(replaced: dict[str, Any], sentence: str) -> None:
    """A fault makes the figures invalid, alone, with a sentence that says how far it went."""
    found = judged(good(**replaced))
    assert not found.valid
    assert len(found.problems) == 1
    assert re.search(sentence, found.problems[0])


def test_what_is_allowed() -> None:
    """What the caller declares is no fault: saturation, a share of errors, a warm cache."""
    assert problems(good(seconds=11.0), saturated=True) == ""
    failing = good(answered=998, errors={"timeout": 2})
    assert problems(failing, allow_errors=0.002) == ""
    assert "2 of 1000" in problems(failing, allow_errors=0.001)
    assert problems(good(caches={"tokens": 0.25}), headline=False) == ""
    assert problems(good(checked=0), checked=False) == ""


def test_chance_is_no_fault() -> None:
    """Answers to check are drawn by lot, and arrivals come as they come."""
    assert problems(good(checked=5)) == ""
    fewer = good(sent=940, answered=940, distinct=940)
    assert problems(fewer) == ""


def test_a_far_server_keeps_up() -> None:
    """The wait for the last answer is no backlog."""
    assert problems(good(seconds=10.3, latency=histogram(*[0.3] * 1000))) == ""


def test_problems_gather() -> None:
    """Problems that were known before stay, and none is told twice."""
    known = good(problems=("it was interrupted",), steal=0.5)
    once = judged(known)
    assert once.problems[0] == "it was interrupted"
    assert len(once.problems) == 2
    assert judged(once).problems == once.problems


def test_tokens_that_are_repeated(tmp_path: Path) -> None:
    """What counts is how many different tokens there were, not how many different requests."""
    sessions = tmp_path / "sessions"
    sessions.write_text("one\ntwo\n")
    (tmp_path / "key.pem").write_text(PUBLIC_KEY)
    options = TargetOptions(subjects=sessions, certificate=tmp_path / "key.pem")
    target = target_from(Kind.REST_STS, "http://127.0.0.1:9/rest-sts/bench", options)
    assert len(set(target.bodies(1000))) == 1000
    assert "1000 requests showed 2 different tokens" in problems(good(), target=target)


def test_clients_have_no_tokens() -> None:
    """Client credentials are the same in every request, and no fault."""
    target: Target = target_from(
        Kind.CLIENT_CREDENTIALS,
        "http://127.0.0.1:9/token",
        TargetOptions(client_id="a", client_authentication=ClientAuthentication.NONE),
    )
    assert problems(good(distinct=1), target=target) == ""


PUBLIC_KEY = """-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----
"""

# -- caches --------------------------------------------------------------------------------------

PAGE = """
# HELP sts_jwks_cache_hits_total How often.
# TYPE sts_jwks_cache_hits_total counter
sts_jwks_cache_hits_total 30
sts_jwks_cache_misses_total 10 1700000000000
cache_requests_total{cache="user \\"a\\"",result="hit"} 5
cache_requests_total{cache="user \\"a\\"",result="miss"} 1.5e1
cache_requests_total{cache="user \\"a\\"",result="other"} 99
vendor_statistics_hits{cache="sessions",node="a"} 4
vendor_statistics_misses{cache="sessions",node="a"} 4
vendor_statistics_hits{cache="sessions",node="b"} 2
http_requests_total 1000
broken_cache_hits_total many
"""


def test_hit_rates() -> None:
    """Rates are of what was asked in between, by cache, however the server spells its counters."""
    assert hit_rates({}, parsed(PAGE)) == {
        "sts_jwks_cache": 0.75,
        'cache user \\"a\\"': 0.25,
        "vendor_statistics sessions": 0.6,
    }
    later = parsed(PAGE.replace("hits_total 30", "hits_total 31"))
    assert hit_rates(parsed(PAGE), later)["sts_jwks_cache"] == 1.0
    assert hit_rates(parsed(PAGE), parsed(PAGE))["sts_jwks_cache"] == 0.0


def test_a_server_that_began_anew() -> None:
    """Counters that went back count from 0."""
    before = parsed("a_cache_hits_total 50\na_cache_misses_total 50\n")
    after = parsed("a_cache_hits_total 1\na_cache_misses_total 3\n")
    assert hit_rates(before, after) == {"a_cache": 0.25}


async def test_metrics_page() -> None:
    """A page is read from the server; one that is not there is named, one without caches empty."""

    async def page(request: web.Request) -> web.Response:
        return web.Response(text=PAGE if request.path == "/metrics" else "up 1\n")

    application = web.Application()
    application.router.add_get("/metrics", page)
    application.router.add_get("/other", page)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        assert await counted(f"{url}/metrics") == parsed(PAGE)
        assert await counted(f"{url}/other") == {}
        with pytest.raises(NotPrepared, match="answered 404"):
            await counted(f"{url}/nowhere")
    finally:
        await runner.cleanup()
    with pytest.raises(NotPrepared, match="did not answer"):
        await counted(f"{url}/metrics")

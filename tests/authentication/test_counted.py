"""What modules say, and what RADIUS servers did not say, is counted on the metrics page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.authentication.radius_server import answer, serving
from tests.support import door as doors
from tests.support.authentication import authentication_file
from tests.support.door import Door
from tests.support.freeradius import SECRET
from tests.support.planted import MARK, USER_PASSWORD, Planted
from tests.support.word_module import install_word

WORD = f"word-{MARK}"
MODULES = f"""
[[module]]
name = "words"
kind = "word"
word = "{WORD}"

[[module]]
name = "asks"
kind = "word"
does = "ask"
word = "{WORD}"

[[module]]
name = "off"
kind = "word"
does = "down"
word = "{WORD}"

[[chain]]
name = "either"
modules = [
    {{ module = "DataStore", flag = "sufficient" }},
    {{ module = "words", flag = "sufficient" }},
]
"""


@pytest.fixture
async def front(
    tmp_path: Path, planted: Planted, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Door]:
    install_word(tmp_path, monkeypatch)
    settings = authentication_file(tmp_path, MODULES)
    async with doors.opened(tmp_path / "state", planted, **settings) as opened:
        yield opened
        said.extend(opened.refusals)


async def _counted(door: Door, name: str) -> dict[tuple[str, ...], float]:
    """A metric's values by those of its labels, which stand in the order of their names."""
    async with door.http.get(door.url + "/metrics") as answered:
        text = await answered.text()
    return {
        tuple(value for _, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    }


async def _login(door: Door, target: str, password: str) -> int:
    kind, name = target.split("|")
    path = f"/json/authenticate?authIndexType={kind}&authIndexValue={name}"
    head = {"X-OpenAM-Username": "demo", "X-OpenAM-Password": password}
    return (await door.request("POST", path, headers=head)).status


async def test_outcomes(front: Door) -> None:
    """Each answer of a module is counted by its kind, in a chain and alone."""
    assert await _login(front, "service|either", USER_PASSWORD) == 200
    assert await _login(front, "service|either", WORD) == 200
    assert await _login(front, "service|either", "wrong") == 401
    assert await _login(front, "module|words", "wrong") == 401
    assert await _login(front, "module|asks", "wrong") == 200  # and callbacks
    assert await _login(front, "module|off", "wrong") == 503
    assert await _counted(front, "remint_authentication_modules_total") == {
        ("files", "passed"): 1,
        ("files", "failed"): 2,
        ("word", "passed"): 1,
        ("word", "failed"): 2,
        ("word", "asked_back"): 1,
        ("word", "down"): 1,
    }


async def test_a_broken_module(front: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that raises what none should is counted as that."""
    monkeypatch.setattr("tests.support.word_module.WordModule.authenticate", None)
    assert await _login(front, "module|words", "wrong") == 500
    counted = await _counted(front, "remint_authentication_modules_total")
    assert counted == {("word", "error"): 1}


async def test_the_brokers_own_check_is_no_module(front: Door) -> None:
    """A login that names no target asks no module; it is counted like any request."""
    await front.login()
    assert await _counted(front, "remint_authentication_modules_total") == {}
    found = await _counted(front, "remint_requests_total")
    assert found == {("authenticate", "ok", "http"): 1}


async def test_what_was_dropped(tmp_path: Path, planted: Planted, said: list[str]) -> None:
    """What is no answer of a RADIUS server is counted by what was wrong with it."""
    planted.note(SECRET)
    bad = [b"\2", b"\2", b"\2"]
    async with serving(lambda asked: [*bad, answer(asked, signed=False)]) as server:
        text = (
            f'[[module]]\nname = "corp"\nkind = "radius"\ntimeout = 1\ntries = 1\n'
            f'servers = ["127.0.0.1:{server.port}"]\nsecret = "{SECRET}"\n'
        )
        settings = authentication_file(tmp_path, text)
        async with doors.opened(tmp_path / "state", planted, **settings) as front:
            assert await _login(front, "module|corp", USER_PASSWORD) == 503
            assert await _counted(front, "remint_radius_dropped_datagrams_total") == {
                ("truncated",): 3,
                ("without a Message-Authenticator",): 1,
            }
            modules = await _counted(front, "remint_authentication_modules_total")
            assert modules == {("radius", "down"): 1}
            said.extend(front.refusals)

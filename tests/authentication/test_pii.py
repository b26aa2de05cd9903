"""How audit and log lines name people and their addresses: full, truncated or hashed."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from adapters.clock import SystemClock
from adapters.events.cloudevents import CloudEvents
from adapters.telemetry import log
from adapters.telemetry.personal import Display, Shown
from broker import trust
from tests.support import door as doors
from tests.support.door import ID_TOKEN, Door, user_input
from tests.support.planted import MARK, USER_PASSWORD, Planted

KEY = b"k" * 32
WRONG = f"wrong-{MARK}"
ADDRESS, ELSEWHERE = "192.0.2.77", "2001:db8:1:2:3:4:5:6"
FOREIGN = trust.account("auth://corp", "bartholomew")


@pytest.fixture(autouse=True)
def _full_again() -> Iterator[None]:
    yield
    log.show(Display())


@pytest.fixture(params=["full", "truncated", "hashed"])
def shown(request: pytest.FixtureRequest) -> Shown:
    found: Shown = request.param
    return found


@pytest.fixture
async def front(
    shown: Shown, tmp_path: Path, planted: Planted, said: list[str]
) -> AsyncIterator[Door]:
    """A broker that names people in one of the ways, with a user of a long name."""
    overrides: dict[str, Any] = {
        "audit": {"principals": shown, "addresses": shown},
        "http": {"trusted_proxies": ["127.0.0.0/8"]},
    }
    async with doors.opened(tmp_path / "state", planted, **overrides) as opened:
        await opened.add_user("bartholomew")
        yield opened
        said.extend(opened.refusals)
    said.append((tmp_path / "state" / "audit.log").read_text())


async def translated(door: Door, name: str, password: str, address: str = ADDRESS) -> None:
    head = {"X-Forwarded-For": address}
    await door.translate(user_input(password, name), ID_TOKEN, headers=head)


async def test_the_audit(front: Door, shown: Shown) -> None:
    """Who got a token, whose login failed and from where stands in the audit as settings say, the
    same for the same, and nowhere in another way."""
    await translated(front, "bartholomew", USER_PASSWORD)
    await translated(front, "bartholomew", WRONG)
    await translated(front, "demo", USER_PASSWORD, ELSEWHERE)
    got, failed, other = [each for each in front.audit() if each["operation"] == "translate"]
    assert got["principal"] == failed["login"] != other["principal"]
    assert got["address"] == failed["address"] != other["address"]
    assert failed["reason"] == "wrong password"
    path = front.broker.components.settings.audit_file
    text = path.read_text()
    assert ("bartholomew" in text) == ("192.0.2.77" in text) == (shown == "full")
    if shown == "truncated":
        assert got["principal"] == "ba…"
        assert (got["address"], other["address"]) == ("192.0.2.0/24", "2001:db8:1::/48")


def test_the_same_hash_as_events() -> None:
    """A principal's hash is the pseudonym that events write under the same key."""

    events = CloudEvents(url="https://sts.example.com", key=KEY, clock=SystemClock())
    display = Display("hashed", "hashed", KEY)
    assert display.principal("/fred", "bob") == events.pseudonym("/fred", "bob")
    assert display.principal(None, "bob") == events.pseudonym("/", "bob")
    elsewhere = Display("hashed", key=b"x" * 32).principal("/", "bob")
    hashes = {display.principal(realm, "bob") for realm in ("/", "/fred")}
    assert len({*hashes, display.address("bob"), elsewhere}) == 4


def test_short_names_and_foreign_ones() -> None:
    """Of a short name one letter is left, of a foreign one the issuer and two letters."""
    display = Display("truncated", "truncated")
    assert [display.principal("/", name) for name in ("b", "bob", "anna")] == ["b…", "b…", "an…"]
    assert display.principal("/", FOREIGN) == trust.account("auth://corp", "ba…")
    assert display.address("unix-socket") == "un…"
    assert display.address("fe80::1:2:3%eth0") == "fe80::/48"


def test_without_a_key_nothing_is_left() -> None:
    """Before the deployment's key is known what is to be hashed is hidden."""
    display = Display("hashed", "hashed")
    assert (display.principal("/", "bob"), display.address(ADDRESS)) == ("…", "…")


def test_each_for_itself() -> None:
    """Names may be hidden where addresses are shown, and the other way round."""
    members = {"principal": "bartholomew", "address": ADDRESS, "realm": "/", "parts": 3}
    names, places = dict(members), dict(members)
    Display("truncated").hide(names)
    Display(addresses="truncated").hide(places)
    assert names == {**members, "principal": "ba…"}
    assert places == {**members, "address": "192.0.2.0/24"}


def test_log_lines(shown: Shown, capsys: pytest.CaptureFixture[str]) -> None:
    """A log line names people as the audit does."""
    log.configure("debug", "json")
    log.show(Display(shown, shown, KEY))
    structlog.get_logger("test").info("said", principal="bartholomew", realm="/", address=ADDRESS)
    line = json.loads(capsys.readouterr().err)
    expected = Display(shown, shown, KEY)
    assert line["principal"] == expected.principal("/", "bartholomew")
    assert line["address"] == expected.address(ADDRESS)
    assert (line["principal"] == "bartholomew") == (shown == "full")

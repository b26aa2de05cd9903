"""What plug-ins do wrong is the failure of that request, named in the audit, and shows nothing."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from adapters import bootstrap
from adapters.plugins import InstalledPlugIns, calling
from broker.model import TokenType
from tests.plugins import odd
from tests.plugins.test_custom_tokens import ELEMENT, KEY, ODD_OUT, instance
from tests.plugins.test_custom_tokens import odd as odd_input
from tests.support import door as doors
from tests.support.door import ID_TOKEN, Answer, Door, pair, user_input
from tests.support.planted import Planted

SOON = 0.3  # seconds that a plug-in of these tests may take
HANGING = TokenType("HANGING")


@pytest.fixture
async def door(
    tmp_path: Path, planted: Planted, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Door]:
    """A broker whose plug-ins must answer soon."""
    quick = functools.partial(InstalledPlugIns, seconds=SOON)
    monkeypatch.setattr(bootstrap, "InstalledPlugIns", quick)
    async with doors.opened(tmp_path / "state", planted) as opened:
        made = instance()
        transforms = (*made.transforms, pair("USERNAME", "HANGING"))
        custom = {**made.custom_providers, HANGING: "hanging"}
        await opened.publish(instance(transforms=transforms, custom_providers=custom))
        yield opened
        odd.HELD.set()  # or the end of the event loop would wait for them
        said.extend(opened.refusals)
    said.append((tmp_path / "state" / "audit.log").read_text())


async def ask(door: Door, wanted: Any, given: Any = KEY, **headers: str) -> Answer:
    head = {name.replace("_", "-"): value for name, value in headers.items()}
    return await door.translate(given, wanted, instance=ELEMENT, headers=head)


@pytest.mark.parametrize(
    ("do", "why"),
    [
        ("fail", "the plug-in odd raised Broken"),
        ("exit", "the plug-in odd raised SystemExit"),
        ("object", "the plug-in odd answered something else than a JSON value"),
        ("long", "the plug-in odd answered something else than up to 262144 bytes of JSON"),
        ("hang", "the plug-in odd did not answer within 0.3 seconds"),
    ],
)
async def test_failure(door: Door, do: str, why: str) -> None:
    """A plug-in that fails is a 500 without a cause; the audit has its name and what it did."""
    answer = await ask(door, {**ODD_OUT, "do": do})
    assert answer.status == 500
    assert answer.body["message"] == "a plug-in of this instance failed"
    line = door.audit()[-1]
    assert (line["outcome"], line["error"], line["reason"]) == ("failed", "PlugInFailed", why)
    assert (await ask(door, ODD_OUT)).status == 200


async def test_failed_validator(door: Door) -> None:
    """A validator that answers something of its own has failed."""
    assert (await ask(door, ODD_OUT, odd_input(do="text"))).status == 500
    assert (await ask(door, ODD_OUT, odd_input(name=7))).status == 500
    assert (await ask(door, ODD_OUT, odd_input(name="r", not_after="soon"))).status == 500


async def test_failure_is_not_stored(door: Door) -> None:
    """A failure is no final answer: the same request may be asked again, and is worked on anew."""
    wanted = {**ODD_OUT, "do": "fail"}
    for _ in range(2):
        assert (await ask(door, wanted, Idempotency_Key="k")).status == 500
        assert door.audit()[-1].get("replayed") is not True


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("InvalidRequest", 400),
        ("UnsupportedTransform", 400),
        ("InvalidToken", 401),
        ("SessionInvalid", 401),
        ("AccessDenied", 401),
        ("Forbidden", 403),
        ("NotFound", 404),
        ("Conflict", 409),
        ("KeyUnavailable", 409),
        ("Gone", 410),
        ("PayloadTooLarge", 413),
        ("TooManyAttempts", 429),
        ("NotSupported", 501),
        ("Unavailable", 503),
        ("ClaimLost", 503),
        ("RemintError", 500),
    ],
)
async def test_refusal(door: Door, kind: str, status: int) -> None:
    """A plug-in refuses with the status of its error, in its own words."""
    plain = kind not in ("ClaimLost",)
    wanted = {**ODD_OUT, "do": "refuse", "with": kind if plain else "RequestInProgress"}
    answer = await ask(door, wanted)
    assert answer.status == status
    message = "not today" if status != 500 else "a plug-in of this instance failed"
    assert answer.body["message"] == message
    if status in (429, 503):
        assert answer.headers["Retry-After"] in ("7", "1")


async def test_late_plug_in_keeps_few_waiting(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a plug-in is late, requests beyond a few fail at once and leave room to others."""
    monkeypatch.setattr(calling, "MAX_WHILE_LATE", 1)
    wanted = {**ODD_OUT, "do": "hang"}
    assert (await ask(door, wanted)).status == 500
    answers = await asyncio.gather(*(ask(door, wanted) for _ in range(10)))
    assert {answer.status for answer in answers} == {500}
    reasons = [line["reason"] for line in door.audit()[-10:]]
    assert "the plug-in odd is late already, and enough requests wait for it" in reasons
    assert "the plug-in odd did not answer within 0.3 seconds" in reasons


async def test_threads_that_hang_harm_nobody_else(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With all its threads hanging a plug-in fails in time, and every other one answers."""
    wanted = {"token_type": HANGING}
    many = calling.MAX_THREADS + 2
    answers = await asyncio.gather(*(ask(door, wanted, user_input()) for _ in range(many)))
    assert {answer.status for answer in answers} == {500}
    assert (await ask(door, ODD_OUT)).status == 200
    assert (await ask(door, ID_TOKEN)).status == 200
    odd.HELD.set()
    assert (await ask(door, wanted, user_input())).status == 200

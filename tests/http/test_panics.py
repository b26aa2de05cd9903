"""Failures that are no Exception, as those of libraries written in Rust are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.stores.memory import MemoryUsers, open_memory
from broker.failures import ENDS_MORE, failure_of
from broker.model import User
from tests.support import door as doors
from tests.support.door import ELEMENT, ID_TOKEN, Door, user_input
from tests.support.planted import MARK, USER_PASSWORD, Planted

BATCH = f"/rest-sts/{ELEMENT}?_action=translate_batch"


class Panic(BaseException):
    """As pyo3 raises one: no Exception, and its text may quote what it was given."""


class _PanickingUsers(MemoryUsers):
    """Users among whom nobody called ``panic`` can be looked up."""

    async def get(self, realm: str, name: str) -> User | None:
        if name == "panic":
            raise Panic(MARK)
        return await super().get(realm, name)


@pytest.fixture
async def panicking(tmp_path: Path, planted: Planted, said: list[str]) -> AsyncIterator[Door]:
    stores = replace(open_memory(), users=_PanickingUsers())
    async with doors.opened(tmp_path / "state", planted, stores=stores) as door:
        yield door
        said.extend(door.refusals)


@pytest.mark.parametrize("path", [f"/rest-sts/{ELEMENT}?_action=translate", "/json/authenticate"])
@pytest.mark.parametrize("head", [{}, {"Idempotency-Key": "k"}])
async def test_a_panic_is_answered(panicking: Door, path: str, head: dict[str, str]) -> None:
    """It is a 500 of that one request with one audit line, and the connection serves on."""
    given = {"input_token_state": user_input(name="panic"), "output_token_state": ID_TOKEN}
    login = {"X-OpenAM-Username": "panic", "X-OpenAM-Password": USER_PASSWORD}
    answer = await panicking.request("POST", path, body=given, headers={**head, **login})
    assert (answer.status, answer.body["reason"]) == (500, "Internal Server Error")
    [line] = panicking.audit()
    assert (line["outcome"], line["error"]) == ("failed", "Panicked")
    assert line["reason"].startswith("test_panics.py:")
    assert (await panicking.translate(user_input(), ID_TOKEN)).status == 200


async def test_a_panic_in_a_batch(panicking: Door) -> None:
    """It is the end of its own part; the others get their tokens."""
    parts = [
        {"input_token_state": user_input(name=name), "output_token_state": ID_TOKEN}
        for name in ("demo", "panic", "demo")
    ]
    answer = await panicking.request("POST", BATCH, body={"requests": parts})
    assert [each.get("code", 200) for each in answer.body["results"]] == [200, 500, 200]
    for each in answer.body["results"]:
        if "issued_token" in each:
            panicking.planted.note(each["issued_token"])


@pytest.mark.parametrize("kind", ENDS_MORE)
def test_what_is_raised_on(kind: type[BaseException]) -> None:
    """What ends a task or the process is never taken for a failure of a request."""
    with pytest.raises(kind):
        failure_of(kind())
    assert asyncio.CancelledError in ENDS_MORE

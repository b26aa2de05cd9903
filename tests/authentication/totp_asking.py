"""A broker whose chains ask for the codes of authenticator apps, and what tests do with it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import door as doors
from tests.support.authentication import authentication_file, targeted
from tests.support.door import ID_TOKEN, Answer, Door, FrozenClock, an_instance, user_input
from tests.support.planted import Planted
from tests.support.totp import App
from tests.support.word_module import install_word

STEP = 30
WORD = "Passw0rd-of-the-directory"

CONFIGURATION = f"""
[[module]]
name = "codes"
kind = "totp"

[[module]]
name = "ifEnrolled"
kind = "totp"
required_for = "enrolled"

[[module]]
name = "exact"
kind = "totp"
window = 0

[[module]]
name = "corp"
kind = "word"
word = "{WORD}"

[[chain]]
name = "two"
modules = [{{ module = "DataStore", flag = "required" }}, {{ module = "codes", flag = "required" }}]

[[chain]]
name = "perhaps"
modules = [
    {{ module = "DataStore", flag = "required" }},
    {{ module = "ifEnrolled", flag = "required" }},
]

[[chain]]
name = "exactly"
modules = [{{ module = "DataStore", flag = "required" }}, {{ module = "exact", flag = "required" }}]

[[chain]]
name = "foreign"
modules = [{{ module = "corp", flag = "required" }}, {{ module = "codes", flag = "required" }}]

[[chain]]
name = "session"
modules = [{{ module = "own", flag = "required" }}, {{ module = "codes", flag = "required" }}]

[[module]]
name = "own"
kind = "session"
"""


@contextlib.asynccontextmanager
async def opened(
    folder: Path,
    planted: Planted,
    monkeypatch: pytest.MonkeyPatch,
    clock: FrozenClock,
    **overrides: Any,
) -> AsyncIterator[Door]:
    """A broker with an instance for each chain, whose clock the test moves."""
    install_word(folder, monkeypatch)
    settings = {**authentication_file(folder, CONFIGURATION), **overrides}
    async with doors.opened(folder / "state", planted, clock=clock, **settings) as door:
        for name in ("two", "perhaps", "exactly", "foreign"):
            await door.publish(targeted(an_instance(name), USERNAME=f"service|{name}"))
        await door.publish(targeted(an_instance("alone"), USERNAME="module|codes"))
        yield door


async def administer(
    door: Door, method: str, name: str, action: str = "", body: Any = None, *, realm: str = ""
) -> Answer:
    query = f"?_action={action}" if action else ""
    path = f"/json{realm}/users/{name}"
    path += query if "?" not in name else query.replace("?", "&")
    return await door.request(method, path, body=body, headers=await door.admin())


async def enrolled(
    door: Door, clock: FrozenClock, name: str = "demo/totp", body: Any = None
) -> App:
    """An app whose authenticator is confirmed, at the end of the step that confirmed it."""
    made = await administer(door, "POST", name, "enrol", body or {})
    assert made.status == 201, made.text
    door.planted.note(made.body["secret"])
    app = App(made.body["uri"])
    confirmed = await administer(door, "POST", name, "confirm", {"code": app.code(clock.at)})
    assert (confirmed.status, confirmed.body["state"]) == (200, "confirmed")
    clock.advance(app.period)
    return app


def with_code(code: str | None, **given: str) -> dict[str, Any]:
    return {**user_input(**given), **({} if code is None else {"otp": code})}


async def ask(
    door: Door, code: str | None, wanted: Any = ID_TOKEN, instance: str = "two", **given: Any
) -> Answer:
    headers = given.pop("headers", None)
    return await door.translate(
        with_code(code, **given), wanted, instance=instance, headers=headers
    )


def reason(door: Door) -> str:
    return str(door.audit()[-1]["reason"])

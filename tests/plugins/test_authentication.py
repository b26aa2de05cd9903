"""Kinds of authentication module that a distribution brings along."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.authentication import kinds
from adapters.state_folder import CannotStart
from tests.support import door as doors
from tests.support.authentication import authentication_file
from tests.support.door import ID_TOKEN, FrozenClock, user_input
from tests.support.planted import Planted
from tests.support.plug_ins import installed

HOURS = """
[[module]]
name = "office"
kind = "opening-hours"
opens = 8
closes = 18

[[chain]]
name = "staff"
modules = [
    { module = "DataStore", flag = "requisite" },
    { module = "office", flag = "required" },
]

[[default]]
USERNAME = "service|staff"
"""
NOON = 1_800_014_400.0


async def test_example_decides(tmp_path: Path, planted: Planted, said: list[str]) -> None:
    """The example is a module like others: its word counts, and its reason is in the audit."""
    clock = FrozenClock(NOON)
    state, settings = tmp_path / "state", authentication_file(tmp_path, HOURS)
    async with doors.opened(state, planted, clock=clock, **settings) as door:
        assert (await door.translate(user_input(), ID_TOKEN)).status == 200
        clock.advance(10 * 3600)
        late = await door.translate(user_input(), ID_TOKEN)
        assert (late.status, late.body["message"]) == (401, "Authentication Failed")
        reasons = [line.get("reason") for line in door.audit()]
        assert "DataStore: passed; office: nobody gets in at 22 o'clock UTC" in reasons


async def test_its_mistakes_are_told(tmp_path: Path, planted: Planted, said: list[str]) -> None:
    """What is wrong with a document of the example is a 400 that names each key."""
    async with doors.opened(tmp_path / "state", planted) as door:
        body = {"kind": "opening-hours", "opens": 9, "closes": 8, "shuts": 7}
        path = "/json/authentication/modules/office"
        answer = await door.request("PUT", path, body=body, headers=await door.admin())
        assert answer.status == 400
        assert {each["key"] for each in answer.body["detail"]} == {"closes", "shuts"}


@pytest.mark.parametrize(
    ("name", "target", "why"),
    [
        ("files", "tests.plugins.odd_kinds:Files", "two authentication kinds are called files"),
        ("none", "tests.plugins.odd_kinds:Nothing", "without name, secrets, module"),
        ("other", "tests.plugins.odd_kinds:Files", "both names must be the same"),
        ("gone", "tests.plugins.odd_kinds:Gone", "cannot be loaded: AttributeError"),
    ],
)
def test_odd_kinds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, target: str, why: str
) -> None:
    """A broker does not start with a kind that cannot be used; the sentence says why."""
    points = {kinds.GROUP: {name: target}}
    installed(tmp_path / "odd-kinds", monkeypatch, points, "odd-kinds-of-the-tests")
    with pytest.raises(CannotStart, match=why):
        kinds.installed()

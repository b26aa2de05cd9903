"""The examples of docs/auth-totp.md and docs/auth-passcode.md, at a broker."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from adapters.authentication.factors.owners import Owner
from adapters.authentication.factors.passcodes import Passcodes
from adapters.authentication.factors.totp import Authenticators, Manner
from broker.model import Secret
from tests.authentication.pages import snippets
from tests.project.source import ROOT
from tests.support import door as doors
from tests.support.authentication import authentication_file
from tests.support.door import Door, FrozenClock
from tests.support.planted import USER_PASSWORD, Planted
from tests.support.totp import App

OWNER = Owner("/", "ann")


async def code_of(door: Door, page: str, clock: FrozenClock) -> str:
    """What the page has ann show: her app's code, or a passcode."""
    factors = door.broker.stores.factors
    if page == "auth-passcode.md":
        _, passcode = await Passcodes(factors).create(OWNER, 3600, clock.at)
        return passcode.reveal()
    authenticators = Authenticators(factors)
    made = await authenticators.enrol(OWNER, Manner(), clock.at)
    app = App(made.uri("ann", "test").reveal())
    await authenticators.confirm(OWNER, Secret(app.code(clock.at - 30)), clock.at)
    return app.code(clock.at)


@pytest.mark.parametrize("page", ["auth-totp.md", "auth-passcode.md"])
async def test_example_works(page: str, tmp_path: Path, planted: Planted) -> None:
    """With the page's modules and its request the code is needed, and one gives a token."""
    clock = FrozenClock()
    (configuration,) = snippets(page)
    (request,) = re.findall(
        r"^```json\n(.*?)^```$", (ROOT / "docs/auth-totp.md").read_text(), re.M | re.S
    )
    settings = authentication_file(tmp_path, configuration)
    async with doors.opened(tmp_path / "state", planted, clock=clock, **settings) as door:
        await door.add_user("ann")
        asked = json.loads(request)
        given = {**asked["input_token_state"], "password": USER_PASSWORD}
        wanted = {**asked["output_token_state"], "nonce": "n"}
        for code, status in (("492039", 401), (await code_of(door, page, clock), 200)):
            answer = await door.translate({**given, "otp": code}, wanted)
            assert answer.status == status, answer.text

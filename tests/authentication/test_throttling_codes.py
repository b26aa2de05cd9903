"""Guesses at a second factor by who has the password: a way in without one is no help."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.authentication.counting import PAIR
from adapters.authentication.throttling import FORGIVEN_SECONDS
from tests.authentication.totp_asking import STEP, ask, enrolled, opened
from tests.support.door import ELEMENT, Door, FrozenClock
from tests.support.planted import Planted

ROUNDS = 10
GUESSES = PAIR.free // 2
LEAKED = ROUNDS * FORGIVEN_SECONDS // int(PAIR.leak_seconds) + 1
"""Guesses that get through because others before them have leaked away."""


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(1_800_000_015.0)


@pytest.fixture
async def front(
    clock: FrozenClock, tmp_path: Path, planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Door]:
    async with opened(tmp_path, planted, monkeypatch, clock) as door:
        yield door


@pytest.mark.parametrize("junk", [None, "000000"], ids=["no code", "a code that nobody reads"])
async def test_a_password_forgives_no_guess_at_a_code(
    front: Door, clock: FrozenClock, junk: str | None
) -> None:
    """Logins where the password is enough do not start the counting of wrong codes anew."""
    app = await enrolled(front, clock)
    heard: list[int] = []
    for _ in range(ROUNDS):
        wrong = "000000" if app.code(clock.at) != "000000" else "000001"
        heard += [(await ask(front, wrong)).status for _ in range(GUESSES)]
        assert (await ask(front, junk, instance=ELEMENT)).status == 200
        clock.advance(FORGIVEN_SECONDS)
    assert set(heard) == {401, 429}
    assert heard.count(401) <= PAIR.most + LEAKED < len(heard) / 2
    told = [line["reason"] for line in front.audit() if line.get("error") == "TooManyAttempts"]
    assert set(told) == {"too many failures of this account at this address, codes alone"}


async def test_guesses_at_the_same_moment(front: Door, clock: FrozenClock) -> None:
    """Of many codes that are sent at once no more are told to be wrong than one after the other."""
    app = await enrolled(front, clock)
    guesses = [f"{number:06d}" for number in range(4 * PAIR.free)]
    right = {app.code(clock.at + step) for step in (-STEP, 0, STEP)}
    told = await asyncio.gather(*(ask(front, each) for each in guesses if each not in right))
    heard = [each.status for each in told]
    assert (set(heard), heard.count(401)) == ({401, 429}, PAIR.free)


async def test_a_code_forgives_the_wrong_ones(front: Door, clock: FrozenClock) -> None:
    """Who mistypes codes and then gets one right is as free to mistype as before."""
    app = await enrolled(front, clock)
    for _ in range(ROUNDS):
        for _ in range(PAIR.free - 1):
            assert (await ask(front, "mistyped")).status == 401
        assert (await ask(front, app.code(clock.at))).status == 200
        clock.advance(max(STEP, FORGIVEN_SECONDS))

"""What a step of a login carries from one broker to another."""

from __future__ import annotations

from dataclasses import fields

import pytest

from adapters.authentication.steps import MAX_LENGTH, Step, Steps
from adapters.stores.memory import open_memory
from broker.authentication import OTP_PROMPT, Identity, Progress, Prompt, Verdict
from broker.errors import AuthenticationFailed
from broker.model import Login, Secret

KEY, OTHER = bytes(32), bytes(range(32))
VALUES = {
    "name": "zoë",
    "attributes": {"groups": ("a", "b"), "none": ()},
    "foreign": "auth://corp#zoë",
    "methods": ("pwd", "otp"),
    "one_time": "totp/1",
    "not_after": 1,
    "authenticated_at": 2,
    "login": Login(3, "urn:acr", ("pwd",)),
    "session_id": Secret("a session"),
    "parent": "token-1",
    "one_time_until": 4,
    "note": "instead",
}


def test_everything_comes_back() -> None:
    """Each field of an identity, the verdicts and what a module remembers come back whole, at
    another broker of the store; another store's opens nothing."""
    assert VALUES.keys() == {each.name for each in fields(Identity)}
    progress = Progress(
        (Verdict.PASSED, Verdict.DOWN),
        Identity(**VALUES),  # type: ignore[arg-type]
        {"challenge": "x"},
        ("a: passed",),
    )
    step = Step("/fred", "service|two", (OTP_PROMPT, Prompt("pin", "PIN?")), progress, "zoe")
    replays = open_memory().replays
    text = Steps(KEY, replays).seal(step, None, 1000.0)
    assert Steps(KEY, replays).open(text, "/fred", 1001.0).step == step
    with pytest.raises(AuthenticationFailed):
        Steps(OTHER, replays).open(text, "/fred", 1001.0)
    assert "a session" not in repr(step)


def test_too_much_is_known() -> None:
    """A step that would be over the limit ends the login."""
    identity = Identity("zoe", {"groups": ("g" * MAX_LENGTH,)}, None)
    step = Step("/", "", (), Progress(identity=identity))
    with pytest.raises(AuthenticationFailed):
        Steps(KEY, open_memory().replays).seal(step, None, 0.0)

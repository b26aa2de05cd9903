"""A request that was worked on before it came again, or too late: its answer is what it gets."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters.messages import worker as worker_module
from adapters.messages.asked import Decoder
from adapters.messages.envelope import Envelope
from adapters.messages.opening import SealedOpener
from adapters.messages.signed import SignedRequests
from adapters.messages.worker import Worker
from broker.errors import RemintError
from tests.amqp.caller import translation
from tests.support import door as doors
from tests.support.door import ELEMENT, ID_TOKEN, Door, user_input
from tests.support.jose import JOSE, decrypted, enc_key_of, encrypted, public, reply_key
from tests.support.planted import Planted

POISON = RemintError("the broker ended 5 times while it worked on this message")
PART = {"input_token_state": user_input(), "output_token_state": ID_TOKEN}
BATCH = {"instance": ELEMENT, "requests": [PART, PART]}


@pytest.fixture
async def door(tmp_path: Path, planted: Planted) -> AsyncIterator[Door]:
    async with doors.opened(tmp_path / "state", planted) as door:
        yield door


@pytest.fixture
def worker(door: Door) -> Worker:
    """As a message transport has it, with readable requests and strangers allowed."""
    parts = door.broker.components
    opener = SealedOpener(
        parts.keys.encryption,
        SignedRequests(None, audience=parts.url, clock=parts.clock),
        require_encrypted=False,
        jwks_url="https://sts.example.com/oauth2/jwks",
    )
    return Worker(
        decoder=Decoder(opener, allow_anonymous=True),
        pipeline=parts.pipeline,
        lifecycle=parts.lifecycle,
        trail=parts.trail,
        clock=parts.clock,
    )


def _envelope(body: Any, **given: Any) -> Envelope:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    properties = {"message_id": "m-1", "requester": "alice", **given}
    return Envelope("amqp", raw, **properties)


@pytest.mark.parametrize("requester", ["alice", None])
@pytest.mark.parametrize(("kind", "body"), [(None, translation()), ("translate.batch", BATCH)])
async def test_expired_after_its_answer(
    door: Door, worker: Worker, kind: str | None, body: Any, requester: str | None
) -> None:
    """What was answered before it expired in the queue gets that answer, byte for byte."""
    envelope = _envelope(body, type=kind, requester=requester)
    first = await worker.work(envelope)
    assert first.answer.status == 200
    tokens = len(await door.tokens())
    again = await worker.work(replace(envelope, expired=True))
    assert (again.answer.status, again.body) == (200, first.body)
    assert len(await door.tokens()) == tokens


@pytest.mark.parametrize("requester", ["alice", None])
@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (None, translation(user_input(password="wrong"))),
        ("translate.batch", {**BATCH, "requests": [PART]}),
        ("validate", {"instance": ELEMENT, "validated_token_state": {}}),
        ("cancel", {"instance": ELEMENT, "cancelled_token_state": {}}),
        ("result", {"request_id": "m-0"}),
    ],
)
async def test_expired_without_an_answer(
    door: Door, worker: Worker, kind: str | None, body: Any, requester: str | None
) -> None:
    """What expired before it was answered is refused: no password is looked at, nothing signed."""
    outcome = await worker.work(_envelope(body, type=kind, requester=requester, expired=True))
    assert outcome.answer.status == 408
    assert await door.tokens() == []
    [line] = door.audit()
    assert (line["outcome"], line["error"]) == ("refused", "RequestExpired")


async def test_poison_with_an_answer(door: Door, worker: Worker) -> None:
    """A message that is given up gets the answer that its request has, if it may be read."""
    first = await worker.work(_envelope(translation()))
    outcome = await worker.give_up(_envelope(translation()), POISON, look=True)
    assert (outcome.answer.status, outcome.body, outcome.dead) == (200, first.body, None)


@pytest.mark.parametrize("look", [True, False])
async def test_poison_without_an_answer(door: Door, worker: Worker, look: bool) -> None:
    """Without a stored answer it is a 500 and a dead letter, and nothing is done for it."""
    outcome = await worker.give_up(_envelope(translation()), POISON, look=look)
    assert (outcome.answer.status, outcome.dead) == (500, POISON)
    assert await door.tokens() == []


async def test_failures_are_sealed(
    door: Door, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A requester who asked for encrypted answers gets failures encrypted, too."""
    mine = reply_key("EC")
    body = {**translation(), "reply_jwk": public(mine)}
    sealed = encrypted(body, await enc_key_of(door))
    outcome = await worker.give_up(_envelope(sealed, content_type=JOSE), POISON, look=True)
    assert outcome.content_type == JOSE
    assert json.loads(decrypted(outcome.body, mine))["code"] == 500

    async def fail(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(worker_module, "RETRY_PAUSES", ())
    monkeypatch.setattr(door.broker.components.pipeline, "translate", fail)
    outcome = await worker.work(_envelope(sealed, content_type=JOSE))
    assert outcome.content_type == JOSE
    assert json.loads(decrypted(outcome.body, mine))["code"] == 500


class Panic(BaseException):
    """As a library written in Rust raises one."""


async def test_a_panic_is_answered(
    door: Door, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failure that is no Exception is tried again and then answered, like any other."""
    tried = 0

    async def panic(*_: object) -> None:
        nonlocal tried
        tried += 1
        raise Panic

    monkeypatch.setattr(worker_module, "RETRY_PAUSES", (0.0, 0.0))
    monkeypatch.setattr(door.broker.components.instances, "resolve", panic)
    outcome = await worker.work(_envelope(translation()))
    assert (outcome.answer.status, tried) == (500, 3)
    lines = door.audit()
    assert [(line["outcome"], line["error"]) for line in lines] == [("failed", "Panicked")] * 3


async def test_a_panic_before_the_pipeline(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    """One while the message is read is answered, too."""

    async def panic(*_: object) -> None:
        raise Panic

    monkeypatch.setattr(worker_module, "RETRY_PAUSES", ())
    monkeypatch.setattr(Decoder, "asked", panic)
    assert (await worker.work(_envelope(translation()))).answer.status == 500

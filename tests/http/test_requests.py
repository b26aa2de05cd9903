"""``GET /requests/<id>``: an answer once more, for the holder of the session that got it."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest

from adapters.messages.asked import Decoder
from adapters.messages.envelope import Envelope
from adapters.messages.opening import SealedOpener
from adapters.messages.signed import SignedRequests
from adapters.messages.worker import Worker
from broker.idempotency import MAX_REQUEST_ID_LENGTH
from tests.support import door as doors
from tests.support.door import (
    ELEMENT,
    HEADER,
    ID_TOKEN,
    Answer,
    Door,
    FrozenClock,
    an_instance,
    pair,
    session_input,
    user_input,
)
from tests.support.jose import JOSE, enc_key_of, encrypted, public, reply_key
from tests.support.planted import Planted


async def _ask(door: Door, session: str, key: str, instance: str = ELEMENT) -> Answer:
    head = {"Idempotency-Key": key}
    return await door.translate(session_input(session), ID_TOKEN, instance=instance, headers=head)


async def _get(door: Door, request_id: str, session: str | None) -> Answer:
    head = {HEADER: session} if session else {}
    return await door.request("GET", f"/requests/{quote(request_id, safe='')}", headers=head)


@pytest.mark.parametrize("key", ["k", "a b", "a/b", "schlüssel", "x" * MAX_REQUEST_ID_LENGTH])
async def test_the_answer_again(door: Door, key: str) -> None:
    """Whoever shows the session of a request gets its answer, byte for byte, and no new token."""
    session = await door.login()
    first = await _ask(door, session, key)
    assert first.status == 200
    again = await _get(door, key, session)
    assert (again.status, again.text) == (200, first.text)
    assert len(await door.tokens()) == 1
    line = door.audit()[-1]
    assert (line["operation"], line["asked_for"], line["replayed"]) == ("result", key, True)


async def test_a_batch(door: Door) -> None:
    """The answer of a batch of one session is there as a whole."""
    session = await door.login()
    good = {"input_token_state": session_input(session), "output_token_state": ID_TOKEN}
    path = f"/rest-sts/{ELEMENT}?_action=translate_batch"
    head = {"Idempotency-Key": "k"}
    first = await door.request("POST", path, body={"requests": [good, 7, good]}, headers=head)
    for result in first.body["results"][::2]:
        door.planted.note(result["issued_token"])
    assert (await _get(door, "k", session)).text == first.text


async def test_a_refusal(door: Door) -> None:
    """A refusal that was stored comes with the status that it had."""
    session = await door.login(realm="/fred/bobo")
    first = await _ask(door, session, "k")
    assert first.status == 403
    again = await _get(door, "k", session)
    assert (again.status, again.text) == (403, first.text)


async def test_an_encrypted_answer(door: Door) -> None:
    """An answer that went encrypted to a key of its own is no more to be had readable: a 409."""
    session, parts = await door.login(), door.broker.components
    signed = SignedRequests(None, audience=parts.url, clock=parts.clock)
    opener = SealedOpener(parts.keys.encryption, signed, require_encrypted=True, jwks_url="-")
    worker = Worker(
        decoder=Decoder(opener, allow_anonymous=True),
        pipeline=parts.pipeline,
        lifecycle=parts.lifecycle,
        trail=parts.trail,
        clock=parts.clock,
    )
    body = {
        "instance": ELEMENT,
        "input_token_state": session_input(session),
        "output_token_state": ID_TOKEN,
        "reply_jwk": public(reply_key()),
    }
    sealed = encrypted(body, await enc_key_of(door))
    sent = await worker.work(Envelope("amqp", body=sealed, message_id="k", content_type=JOSE))
    assert sent.answer.status == 200
    door.planted.note(sent.answer.body["issued_token"])
    answer = await _get(door, "k", session)
    assert (answer.status, answer.body["reason"]) == (409, "Conflict")
    assert "encrypted" in answer.body["message"]
    assert door.audit()[-1]["outcome"] == "refused"


async def test_of_somebody_else(door: Door) -> None:
    """Another session of the same user, a made-up one, or another id find nothing."""
    session = await door.login()
    await _ask(door, session, "k")
    found = [
        await _get(door, "k", await door.login()),
        await _get(door, "k", "made-up"),
        await _get(door, "other", session),
    ]
    assert {(answer.status, answer.body["reason"]) for answer in found} == {(404, "Not Found")}


async def test_a_session_that_has_ended(door: Door) -> None:
    """The answer that ended its session can still be asked for with it."""
    ending = (pair("OPENAM", "OPENIDCONNECT", end_session=True),)
    await door.publish(an_instance("ending", transforms=ending))
    session = await door.login()
    first = await _ask(door, session, "k", "ending")
    assert (await _get(door, "k", session)).text == first.text


async def test_nobody(door: Door) -> None:
    """Without a session it is a 401 that says what to do, whatever the id."""
    await door.translate(user_input(), ID_TOKEN, headers={"Idempotency-Key": "k"})
    for request_id in ("k", "other"):
        answer = await _get(door, request_id, None)
        assert answer.status == 401
        assert "Idempotency-Key" in answer.body["message"]


async def test_too_late(tmp_path: Path, planted: Planted, said: list[str]) -> None:
    """Once its answer is no longer kept a request is a 410."""
    clock = FrozenClock()
    async with doors.opened(tmp_path / "state", planted, clock=clock, answers={"ttl": 60}) as door:
        session = await door.login()
        await _ask(door, session, "k")
        clock.advance(61)
        answer = await _get(door, "k", session)
        assert (answer.status, answer.body["reason"]) == (410, "Gone")
        said.extend(door.refusals)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_other_methods(door: Door, method: str) -> None:
    """An answer can be read and nothing else."""
    answer = await door.request(method, "/requests/k", body={})
    assert answer.status == 405


async def test_an_id_that_is_too_long(door: Door) -> None:
    """An id that no request can have had is a 400."""
    answer = await _get(door, "x" * (MAX_REQUEST_ID_LENGTH + 1), await door.login())
    assert answer.status == 400

"""What was encrypted stays encrypted: ``result`` gives an answer to nobody but its own key."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from jwcrypto import jwk

from adapters.amqp.topology import BATCHES
from tests.amqp.caller import Caller, Reply, translation
from tests.amqp.conftest import Opened
from tests.support.door import ELEMENT, ID_TOKEN, Door, an_instance, user_input
from tests.support.jose import JOSE, decrypted, enc_key_of, encrypted, public, reply_key

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("rabbitmq")]


async def _asked(door: Door, caller: Caller, mine: jwk.JWK, message_id: str = "m-1") -> str:
    """A translation whose answer is encrypted; returns its token."""
    body = encrypted({**translation(), "reply_jwk": public(mine)}, await enc_key_of(door))
    return _token(door, await caller.ask(body, content_type=JOSE, message_id=message_id), mine)


def _token(door: Door, reply: Reply, mine: jwk.JWK) -> str:
    assert (reply.status, reply.message.content_type) == (200, JOSE)
    token: str = json.loads(decrypted(reply.raw, mine))["issued_token"]
    door.planted.note(token)
    return token


@pytest.mark.parametrize("kind", ["EC", "RSA"])
async def test_asked_for_in_the_clear(amqp: Door, alice: Caller, kind: str) -> None:
    """Whoever writes alice's name on the message server gets what only her key opens."""
    mine = reply_key(kind)
    token = await _asked(amqp, alice, mine)
    again = await alice.ask({"request_id": "m-1"}, type="result")
    assert b"issued_token" not in again.raw
    assert _token(amqp, again, mine) == token


async def test_asked_for_with_another_key(amqp: Door, alice: Caller) -> None:
    """A key that comes with the question does not open the answer: it is sealed to the first."""
    mine, other = reply_key(), reply_key()
    token = await _asked(amqp, alice, mine)
    question = {"request_id": "m-1", "reply_jwk": public(other)}
    sealed = encrypted(question, await enc_key_of(amqp))
    again = await alice.ask(sealed, content_type=JOSE, type="result")
    assert _token(amqp, again, mine) == token


async def test_refusals_and_batches(amqp: Door, alice: Caller) -> None:
    """A stored refusal and the answer of a batch are sealed to the first key as well."""
    mine, key = reply_key(), await enc_key_of(amqp)
    part = {"input_token_state": user_input(), "output_token_state": ID_TOKEN}
    batch = {"instance": ELEMENT, "requests": [part, 7], "reply_jwk": public(mine)}
    first = await alice.ask(
        encrypted(batch, key),
        content_type=JOSE,
        type="translate.batch",
        message_id="b-1",
        queue=BATCHES,
    )
    refused = {**translation(user_input("wrong")), "reply_jwk": public(mine)}
    second = await alice.ask(encrypted(refused, key), content_type=JOSE, message_id="r-1")
    for name, given in (("b-1", first), ("r-1", second)):
        again = await alice.ask({"request_id": name}, type="result")
        assert (again.status, again.message.content_type) == (given.status, JOSE)
        assert decrypted(again.raw, mine) == decrypted(given.raw, mine)
    amqp.planted.note(json.loads(decrypted(first.raw, mine))["results"][0]["issued_token"])


async def test_sent_again_with_another_key(amqp: Door, alice: Caller) -> None:
    """Who shows the credential again gets the answer under the key that came with it."""
    token = await _asked(amqp, alice, reply_key())
    assert await _asked(amqp, alice, reply_key()) == token


async def test_taken_from_the_list(opened: Opened, alice: Caller) -> None:
    """Who is no longer among an instance's requesters gets none of its answers."""
    async with opened() as door:
        listed = an_instance("listed")
        await door.publish(listed)
        await alice.ask(translation(instance="listed"), message_id="m-1")
        assert (await alice.ask({"request_id": "m-1"}, type="result")).status == 200
        await door.publish(replace(listed, requesters={"amqp": frozenset({"bob"})}))
        assert (await alice.ask({"request_id": "m-1"}, type="result")).status == 403

"""Requests that only the broker can read, and answers that only the requester can."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from tests.amqp.caller import Caller, translation
from tests.amqp.conftest import Opened
from tests.support.door import ASSERTION, ID_TOKEN, REALM, Door, an_instance, user_input
from tests.support.jose import (
    JOSE,
    decrypted,
    enc_key_of,
    encrypted,
    public,
    reply_key,
)

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("rabbitmq")]

SEALED = {"require_encrypted_credentials": True}


@pytest.fixture
async def strict(opened: Opened) -> AsyncIterator[Door]:
    """A broker as it is outside the demo."""
    async with opened(amqp=SEALED) as door:
        yield door


@pytest.mark.parametrize("kind", ["EC", "RSA"])
@pytest.mark.parametrize("algorithm", ["ECDH-ES", "RSA-OAEP-256"])
async def test_encrypted_both_ways(strict: Door, alice: Caller, algorithm: str, kind: str) -> None:
    """A request encrypted to a key of the JWKS is answered under the key that came inside."""
    mine = reply_key(kind)
    body = {**translation(), "reply_jwk": public(mine)}
    reply = await alice.ask(encrypted(body, await enc_key_of(strict, algorithm)), content_type=JOSE)
    assert reply.status == 200
    assert reply.message.content_type == JOSE
    assert b"issued_token" not in reply.raw
    token = json.loads(decrypted(reply.raw, mine))["issued_token"]
    strict.planted.note(token)
    assert len(await strict.tokens()) == 1


async def test_answer_in_the_clear(strict: Door, alice: Caller) -> None:
    """Without reply_jwk the answer is plain JSON."""
    reply = await alice.ask(encrypted(translation(), await enc_key_of(strict)), content_type=JOSE)
    assert (reply.status, reply.message.content_type) == (200, "application/json")
    assert reply.body["issued_token"]


async def test_key_of_another_realm(strict: Door, alice: Caller) -> None:
    """Any realm's encryption key will do: which instance is asked stands inside."""
    key = await enc_key_of(strict, realm=REALM)
    assert (await alice.ask(encrypted(translation(), key), content_type=JOSE)).status == 200


async def test_refusal_is_encrypted_too(strict: Door, alice: Caller) -> None:
    """A refusal goes back under reply_jwk like a token; its status stands beside it."""
    mine = reply_key()
    body = {**translation(user_input("wrong")), "reply_jwk": public(mine)}
    reply = await alice.ask(encrypted(body, await enc_key_of(strict)), content_type=JOSE)
    assert reply.status == 401
    assert json.loads(decrypted(reply.raw, mine))["code"] == 401


async def test_encrypted_twice_is_the_same_request(strict: Door, alice: Caller) -> None:
    """The same request, encrypted anew and with another reply_jwk, gets the same answer."""
    key, answers = await enc_key_of(strict), []
    for mine in (reply_key(), reply_key()):
        body = {**translation(), "reply_jwk": public(mine)}
        reply = await alice.ask(encrypted(body, key), content_type=JOSE, message_id="m-1")
        answers.append(decrypted(reply.raw, mine))
    assert answers[0] == answers[1]
    strict.planted.note(json.loads(answers[0])["issued_token"])
    assert len(await strict.tokens()) == 1


async def test_other_credential_under_one_id(strict: Door, alice: Caller) -> None:
    """A different request under an id that was used is refused, encrypted or not."""
    key = await enc_key_of(strict)
    first = encrypted(translation(user_input(), ID_TOKEN), key)
    second = encrypted(translation(user_input(), ASSERTION), key)
    assert (await alice.ask(first, content_type=JOSE, message_id="m-1")).status == 200
    assert (await alice.ask(second, content_type=JOSE, message_id="m-1")).status == 409


async def test_lifecycle(strict: Door, alice: Caller) -> None:
    """Validate and cancel are taken encrypted as well."""
    key = await enc_key_of(strict)
    token = (await alice.ask(encrypted(translation(), key), content_type=JOSE)).body
    state = {"token_type": "OPENIDCONNECT", "oidc_id_token": token["issued_token"]}
    asked = encrypted({"instance": "username-transformer", "validated_token_state": state}, key)
    assert (await alice.ask(asked, content_type=JOSE, type="validate")).body == {
        "token_valid": True
    }
    asked = encrypted({"instance": "username-transformer", "cancelled_token_state": state}, key)
    assert (await alice.ask(asked, content_type=JOSE, type="cancel")).status == 200
    assert await strict.tokens() == []


@pytest.mark.parametrize("kind", [None, "translate", "translate.batch", "validate", "cancel"])
async def test_credential_in_the_clear(strict: Door, alice: Caller, kind: str | None) -> None:
    """Whatever may hold a credential and came readable is refused, with what to do instead."""
    reply = await alice.ask(translation(), type=kind)
    assert reply.status == 400
    assert "application/jose" in reply.body["message"]
    assert "/oauth2/jwks" in reply.body["message"]
    assert (await alice.dead_letter()).body == b""
    assert await strict.tokens() == []


async def test_result_in_the_clear(strict: Door, alice: Caller) -> None:
    """Asking for an earlier answer holds no credential, and may be readable."""
    sent = encrypted(translation(), await enc_key_of(strict))
    first = await alice.ask(sent, content_type=JOSE, message_id="m-1")
    again = await alice.ask({"request_id": "m-1"}, type="result")
    assert (again.status, again.raw) == (200, first.raw)


async def test_what_cannot_be_decrypted_is_a_dead_letter(strict: Door, alice: Caller) -> None:
    """A request under a key that nobody here has is refused, and its text not kept."""
    stranger = reply_key()
    stranger["alg"], stranger["kid"] = "ECDH-ES", "nobody"
    reply = await alice.ask(encrypted(translation(), stranger), content_type=JOSE)
    assert reply.status == 400
    assert "cannot be decrypted" in reply.body["message"]
    letter = await alice.dead_letter()
    assert letter.body == b""
    assert letter.content_type == JOSE


async def test_rotated_key_still_decrypts(strict: Door, alice: Caller) -> None:
    """After a rotation the JWKS has the new key alone, and a sender with the old one is served."""
    keys = strict.broker.components.keys
    old = await enc_key_of(strict)
    await keys.encryption.rotate("/", "ECDH-ES")
    new = await enc_key_of(strict)
    assert old["kid"] != new["kid"]
    for key in (old, new):
        sent = encrypted(translation(), key)
        assert (await alice.ask(sent, content_type=JOSE)).status == 200


async def test_allow_list(strict: Door, alice: Caller, mallory: Caller) -> None:
    """An instance with a list of requesters serves those on it, and refuses others unread."""
    from dataclasses import replace

    listed = replace(an_instance("listed"), requesters={"amqp": frozenset({"alice"})})
    nobody = replace(an_instance("nobody"), requesters={"amqp": frozenset()})
    await strict.publish(listed, nobody)
    key = await enc_key_of(strict)

    async def status(caller: Caller, instance: str, password: str) -> int:
        body = encrypted(translation(user_input(password), instance=instance), key)
        return (await caller.ask(body, content_type=JOSE)).status

    right = user_input()["password"]
    assert await status(alice, "listed", right) == 200
    assert await status(mallory, "listed", right) == 403
    assert await status(mallory, "listed", "wrong") == 403
    assert await status(alice, "nobody", right) == 403
    state = {"validated_token_state": {"token_type": "SAML2", "saml2_token": "<a/>"}}
    asked = encrypted({"instance": "listed", **state}, key)
    assert (await mallory.ask(asked, content_type=JOSE, type="validate")).status == 403

"""Over MQTT too: requests only the broker can read, and answers only the requester can."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from adapters.messages import dead_key
from tests.mqtt.caller import Caller, translation
from tests.mqtt.conftest import Opened
from tests.support.door import Door
from tests.support.jose import JOSE, decrypted, enc_key_of, encrypted, public, reply_key

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("mosquitto")]


@pytest.fixture
async def strict(opened: Opened) -> AsyncIterator[Door]:
    """A broker as it is outside the demo."""
    async with opened(mqtt={"require_encrypted_credentials": True}) as door:
        yield door


@pytest.mark.parametrize("algorithm", ["ECDH-ES", "RSA-OAEP-256"])
async def test_encrypted_both_ways(strict: Door, alice: Caller, algorithm: str) -> None:
    """A request encrypted to a key of the JWKS is answered under the key that came inside."""
    mine = reply_key()
    body = {**translation(), "reply_jwk": public(mine)}
    sent = encrypted(body, await enc_key_of(strict, algorithm))
    await alice.send(sent, content_type=JOSE, message_id="m-1")
    message = await alice.message()
    assert isinstance(message.payload, bytes)
    assert message.properties is not None
    assert message.properties.ContentType == JOSE
    assert dict(message.properties.UserProperty)["status"] == "200"
    assert b"issued_token" not in message.payload
    strict.planted.note(json.loads(decrypted(message.payload, mine))["issued_token"])
    assert len(await strict.tokens()) == 1


@pytest.mark.parametrize("operation", ["translate", "translate_batch", "validate", "cancel"])
async def test_credential_in_the_clear(
    strict: Door, alice: Caller, undertaker: Caller, operation: str
) -> None:
    """Whatever may hold a credential and came readable is refused, with what to do instead."""
    reply = await alice.ask(translation(), operation)
    assert reply.status == 400
    assert "application/jose" in reply.body["message"]
    assert (await undertaker.message()).payload == b""
    assert await strict.tokens() == []


async def test_dead_letter_for_the_operator(
    opened: Opened, alice: Caller, undertaker: Caller, tmp_path: Path
) -> None:
    """With a key for dead letters their bodies are kept, and only the operator can read them."""
    key = ec.generate_private_key(ec.SECP256R1())
    path = tmp_path / "operator.pem"
    path.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    body = b'{"password": "half a request"'
    async with opened(amqp={"dead_letter_key": path}):
        assert (await alice.ask(body)).status == 400
        letter = await undertaker.message()
    assert isinstance(letter.payload, bytes)
    assert body not in letter.payload
    assert dead_key.opened(letter.payload, pem, None) == body

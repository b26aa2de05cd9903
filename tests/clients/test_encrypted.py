"""The Python client with keys: nobody between it and the broker can read what it asks or gets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import aio_pika
import pytest
from joserfc.jwk import ECKey, OKPKey, RSAKey
from jwcrypto import jwe, jwk
from remint_client import KeysUnavailable, Refused, RemintClient, TimedOut

from adapters.amqp.topology import REQUESTS
from tests.amqp.conftest import Opened
from tests.clients.noted import PATIENCE_SECONDS, Noted
from tests.support.door import ASSERTION, ELEMENT, ID_TOKEN, ISSUER, Door, user_input
from tests.support.planted import Planted
from tests.support.rabbitmq import RabbitMQ

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("rabbitmq")]

SEALED = {"amqp": {"require_encrypted_credentials": True}}
REFUSAL = {"code": 400, "reason": "Bad Request", "message": "this request cannot be decrypted"}


def jwks_url(door: Door) -> str:
    return f"{door.url}/oauth2/jwks"


async def test_all_that_can_be_asked(opened: Opened, rabbitmq: RabbitMQ, planted: Planted) -> None:
    """A broker that refuses what others could read answers a client that has its key set."""
    async with opened(**SEALED) as door:
        url = rabbitmq.url_for("alice")
        async with Noted(planted, url, jwks=jwks_url(door)) as client:
            found = await client.translate(ELEMENT, user_input(), ID_TOKEN)
            state = {"token_type": "OPENIDCONNECT", "oidc_id_token": found.token}
            assert await client.validate(ELEMENT, state)
            assert await client.result(found.request_id) == found
            [part] = await client.translate_batch(ELEMENT, [(user_input(), ASSERTION)])
            assert not isinstance(part, Refused)
            await client.cancel(ELEMENT, state)
            assert not await client.validate(ELEMENT, state)
        async with Noted(planted, url) as readable:
            with pytest.raises(Refused) as refused:
                await readable.translate(ELEMENT, user_input(), ID_TOKEN)
        assert refused.value.status == 400


async def test_result_after_a_restart(opened: Opened, rabbitmq: RabbitMQ, planted: Planted) -> None:
    """A client with the reply key of an earlier one reads its answers; no other client does."""
    key = ECKey.generate_key("P-256").as_dict(private=True)
    async with opened(**SEALED) as door:
        url, jwks = rabbitmq.url_for("alice"), jwks_url(door)
        async with Noted(planted, url, jwks=jwks, reply_key=key) as client:
            found = await client.translate(ELEMENT, user_input(), ID_TOKEN)
        async with Noted(planted, url, jwks=jwks, reply_key=key) as client:
            assert await client.result(found.request_id) == found
        async with Noted(planted, url, jwks=jwks) as client:
            with pytest.raises(TimedOut):
                await client.result(found.request_id, timeout=1.0)
            again = await client.translate(
                ELEMENT, user_input(), ID_TOKEN, request_id=found.request_id
            )
        assert again == found


@pytest.mark.parametrize(
    "key",
    [
        {},
        {"kty": "EC", "crv": "P-256"},
        ECKey.generate_key("P-384").as_dict(private=True),
        ECKey.generate_key("P-256").as_dict(private=False),
        OKPKey.generate_key("Ed25519").as_dict(private=True),
    ],
)
def test_a_reply_key_that_cannot_be_used(key: dict[str, Any]) -> None:
    """A reply key is a private key on P-256, or the client is not made."""
    with pytest.raises(ValueError, match="reply key"):
        RemintClient("amqp://127.0.0.1/", jwks="https://sts.example.com/oauth2/jwks", reply_key=key)


async def test_a_refusal_is_encrypted_too(
    opened: Opened, rabbitmq: RabbitMQ, planted: Planted
) -> None:
    """A refusal comes through the same way, with its status and sentence."""
    async with opened(**SEALED) as door:
        url = rabbitmq.url_for("alice")
        async with Noted(planted, url, jwks=jwks_url(door)) as client:
            with pytest.raises(Refused) as refused:
                await client.translate(ELEMENT, user_input(password="wrong"), ID_TOKEN)
        assert refused.value.status == 401


@pytest.mark.parametrize("kind", ["EC", "RSA"])
async def test_each_kind_of_key(
    opened: Opened, rabbitmq: RabbitMQ, planted: Planted, kind: str
) -> None:
    """A key set that is handed over serves as well, whichever kind of key it offers."""
    async with opened(**SEALED) as door:
        published = (await door.request("GET", "/oauth2/jwks")).body["keys"]
        offered = {"keys": [key for key in published if key["kty"] == kind]}
        async with Noted(planted, rabbitmq.url_for("alice"), jwks=offered) as client:
            await client.translate(ELEMENT, user_input(), ID_TOKEN)
        assert len(await door.tokens()) == 1


@pytest.mark.parametrize("kind", ["EC", "RSA", "OKP"])
async def test_signed(
    opened: Opened, rabbitmq: RabbitMQ, planted: Planted, tmp_path: Path, kind: str
) -> None:
    """A signed request is made in the name of its key, whoever the message server took it from."""
    key: ECKey | RSAKey | OKPKey = {
        "EC": lambda: ECKey.generate_key("P-256"),
        "RSA": lambda: RSAKey.generate_key(2048),
        "OKP": lambda: OKPKey.generate_key("Ed25519"),
    }[kind]()
    registered = tmp_path / "requesters.json"
    registered.write_text(json.dumps({"keys": [{**key.as_dict(private=False), "kid": "desk"}]}))
    async with opened(**SEALED, requesters={"jwks_file": registered}) as door:
        signing = {**key.as_dict(private=True), "kid": "desk"}
        options: dict[str, Any] = {
            "jwks": jwks_url(door),
            "signing_key": signing,
            "audience": ISSUER,
        }
        async with Noted(planted, rabbitmq.url_for("alice"), **options) as client:
            found = await client.translate(ELEMENT, user_input(), ID_TOKEN)
            assert await client.result(found.request_id) == found
        assert {line["requester"] for line in door.audit()} == {"key:desk"}


async def test_another_library_can_read_it(rabbitmq: RabbitMQ, planted: Planted) -> None:
    """What is sent is a JWE that jwcrypto opens, and nothing of it can be read on its way."""
    key = jwk.JWK.generate(kty="EC", crv="P-256", kid="k-1", use="enc", alg="ECDH-ES")
    jwks = {"keys": [key.export_public(as_dict=True)]}
    async with await aio_pika.connect(rabbitmq.url) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(REQUESTS, auto_delete=True)
        async with Noted(planted, rabbitmq.url_for("alice"), jwks=jwks, timeout=1.0) as client:
            with pytest.raises(TimedOut):
                await client.translate(ELEMENT, user_input(), ID_TOKEN, request_id="m-1")
        sent = await queue.get(no_ack=True)
        assert sent is not None
    assert sent.content_type == "application/jose"
    assert planted.found_in([sent.body.decode()]) == []
    opened = jwe.JWE(algs=["ECDH-ES", "A256GCM"])
    opened.deserialize(sent.body.decode(), key)
    inside = json.loads(opened.payload)
    assert inside["input_token_state"] == user_input()
    assert opened.jose_header["kid"] == "k-1"
    assert "d" not in inside["reply_jwk"]


async def test_an_answer_in_the_clear(rabbitmq: RabbitMQ, planted: Planted) -> None:
    """A token that comes in the clear is not believed; a refusal is, as it may be all there is."""
    jwks = {"keys": [{**ECKey.generate_key("P-256").as_dict(private=False), **_NAMED}]}
    async with await aio_pika.connect(rabbitmq.url) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(REQUESTS, auto_delete=True)

        async def answer(message: aio_pika.abc.AbstractIncomingMessage) -> None:
            for status, body in ((200, {"issued_token": "forged"}), (400, REFUSAL)):
                reply = aio_pika.Message(
                    json.dumps(body).encode(),
                    headers={"status": status, "retry": "never"},
                    correlation_id=message.correlation_id,
                )
                await channel.default_exchange.publish(reply, message.reply_to or "")

        await queue.consume(answer, no_ack=True)
        async with Noted(planted, rabbitmq.url_for("alice"), jwks=jwks) as client:
            with pytest.raises(Refused) as refused:
                await client.translate(ELEMENT, user_input(), ID_TOKEN)
    assert refused.value.status == 400


_NAMED = {"kid": "k-1", "use": "enc"}


@pytest.mark.parametrize(
    "key",
    [
        {**ECKey.generate_key("P-256").as_dict(private=False), "kid": "k-1", "use": "sig"},
        {**ECKey.generate_key("P-256").as_dict(private=False), "use": "enc"},
        {**ECKey.generate_key("P-384").as_dict(private=False), **_NAMED},
        {**ECKey.generate_key("P-256").as_dict(private=False), **_NAMED, "alg": "ECDH-ES+A128KW"},
        {"kty": "RSA", "n": "_" * 171, "e": "AQAB", **_NAMED},
        {"kty": "RSA", "n": 7, "e": "AQAB", **_NAMED},
        {"kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA", **_NAMED},
        {"kty": "oct", "k": "AAAA", **_NAMED},
    ],
    ids=[
        "to sign",
        "without kid",
        "P-384",
        "another alg",
        "short RSA",
        "no RSA",
        "no point",
        "symmetric",
    ],
)
def test_keys_that_are_not_used(key: dict[str, Any]) -> None:
    """A key that requests cannot be safely encrypted to is as good as none."""
    with pytest.raises(KeysUnavailable):
        RemintClient("amqp://alice@127.0.0.1/", jwks={"keys": [key, "no key", None]})


def test_a_key_set_over_plain_http() -> None:
    """A key set that others could change on its way is not fetched."""
    with pytest.raises(KeysUnavailable, match="https"):
        RemintClient("amqp://alice@127.0.0.1/", jwks="http://sts.example.com/oauth2/jwks")


async def test_a_key_set_that_cannot_be_fetched(rabbitmq: RabbitMQ) -> None:
    """Without a key nothing is sent, least of all in the clear."""
    url = "http://127.0.0.1:9/oauth2/jwks"
    async with RemintClient(rabbitmq.url_for("alice"), jwks=url) as client:
        with pytest.raises(KeysUnavailable, match="127"):
            await client.translate(ELEMENT, {}, {}, timeout=PATIENCE_SECONDS)


@pytest.mark.parametrize(
    ("key", "audience"),
    [
        ({**ECKey.generate_key("P-256").as_dict(private=True)}, ISSUER),
        ({**ECKey.generate_key("P-256").as_dict(private=False), "kid": "k-1"}, ISSUER),
        ({**ECKey.generate_key("P-384").as_dict(private=True), "kid": "k-1"}, ISSUER),
        ({"kty": "oct", "k": "AAAA", "kid": "k-1"}, ISSUER),
        ({**ECKey.generate_key("P-256").as_dict(private=True), "kid": "k-1"}, ""),
    ],
    ids=["without kid", "public", "P-384", "symmetric", "without audience"],
)
def test_signing_keys_that_are_not_used(key: dict[str, Any], audience: str) -> None:
    """A key that no broker would accept is refused when the client is made."""
    jwks = {"keys": [{**ECKey.generate_key("P-256").as_dict(private=False), **_NAMED}]}
    with pytest.raises(ValueError, match="sign"):
        RemintClient("amqp://a@127.0.0.1/", jwks=jwks, signing_key=key, audience=audience)

"""Signed requests: the key says who asks, and a captured one is of no use elsewhere."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from jwcrypto import jwk

from adapters.keys.ring import KeyRing
from adapters.messages.opening import SealedOpener
from adapters.messages.requesters import RequesterKeys
from adapters.messages.signed import NOT_SIGNED, WINDOW_SECONDS
from broker.errors import AccessDenied, InvalidRequest, Refusal, RequestExpired
from tests.messages.conftest import SIGNERS, envelope, opener_of, ours
from tests.support.door import ISSUER, FrozenClock
from tests.support.jose import (
    b64,
    decrypted,
    encrypted,
    public,
    registered,
    reheaded,
    reply_key,
    signed,
    signing_key,
    unb64,
)

BODY = {"instance": "orders", "input_token_state": {"password": "secret"}}


@pytest.fixture
def plain(ring: KeyRing, keys_file: Path, clock: FrozenClock) -> SealedOpener:
    """An opener that takes readable requests."""
    return opener_of(ring, keys_file, clock, strict=False)


def made(clock: FrozenClock, kind: str = "EC", **members: Any) -> bytes:
    return signed(BODY, SIGNERS[kind], "m-1", **{"iat": int(clock.now()), **members})


def _write(path: Path, text: str) -> None:
    """In one step, as an administrator should."""
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    os.replace(fresh, path)


async def refused(opener: SealedOpener, token: bytes, **properties: Any) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await opener.open(envelope(token, **properties))
    return caught.value


@pytest.mark.parametrize("kind", ["EC", "RSA", "OKP"])
async def test_signed_inside_encrypted(
    opener: SealedOpener, ring: KeyRing, clock: FrozenClock, kind: str
) -> None:
    """Who signed is the requester, whoever sent the message."""
    token = encrypted(made(clock, kind), ours(ring), {"cty": "jose"})
    for sender in ("mallory", None):
        opened = await opener.open(envelope(token, requester=sender))
        assert opened.requester == f"key:{kind}-1"
        assert json.loads(opened.body)["instance"] == "orders"


async def test_signed_alone(plain: SealedOpener, clock: FrozenClock) -> None:
    """Where readable requests are taken a signed one may come without encryption, and its answer
    is encrypted all the same if it asks for that."""
    mine = reply_key()
    opened = await plain.open(envelope(made(clock, reply_jwk=public(mine))))
    assert (opened.requester, opened.encrypted) == ("key:EC-1", False)
    assert opened.sealer is not None
    assert decrypted(opened.sealer.seal(b"{}"), mine) == b"{}"


async def test_user_who_calls_himself_a_key(opener: SealedOpener, ring: KeyRing) -> None:
    """No user of a message server passes for a signing key."""
    token = encrypted(BODY, ours(ring))
    refusal = await refused(opener, token, requester="key:EC-1")
    assert isinstance(refusal, AccessDenied)


@pytest.mark.parametrize(
    ("header", "error"),
    [
        ({"alg": "none"}, AccessDenied),
        ({"alg": "HS256"}, AccessDenied),
        ({"alg": "RS256"}, AccessDenied),
        ({"alg": "ES384"}, AccessDenied),
        ({"alg": None}, AccessDenied),
        ({"kid": "nobody"}, AccessDenied),
        ({"kid": "RSA-1"}, AccessDenied),
        ({"kid": "../../dev/null"}, AccessDenied),
        ({"kid": ""}, InvalidRequest),
        ({"kid": None}, InvalidRequest),
        ({"typ": None}, InvalidRequest),
        ({"typ": "JWT"}, InvalidRequest),
        ({"typ": 5}, InvalidRequest),
        ({"jwk": {"kty": "EC"}}, InvalidRequest),
        ({"jku": "http://127.0.0.1:1/"}, InvalidRequest),
        ({"x5c": []}, InvalidRequest),
        ({"crit": ["b64"], "b64": False}, InvalidRequest),
    ],
)
async def test_header(
    plain: SealedOpener, clock: FrozenClock, header: dict[str, Any], error: type[Refusal]
) -> None:
    """Only the registered key's own algorithm counts; a key in the header never does."""
    assert isinstance(await refused(plain, reheaded(made(clock), **header)), error)


@pytest.mark.parametrize("kind", ["EC", "RSA", "OKP"])
async def test_altered(plain: SealedOpener, clock: FrozenClock, kind: str) -> None:
    """An altered payload, an altered, empty or all-zero signature proves nothing."""
    head, payload, signature = made(clock, kind).split(b".")
    other = b64(unb64(payload).replace(b"orders", b"others"))
    wrong = bytearray(unb64(signature))
    wrong[7] ^= 1
    for token in (
        b".".join([head, other, signature]),
        b".".join([head, payload, b64(bytes(wrong))]),
        b".".join([head, payload, b64(bytes(len(wrong)))]),
        b".".join([head, payload, b""]),
    ):
        refusal = await refused(plain, token)
        assert isinstance(refusal, AccessDenied)
        assert refusal.sentence == NOT_SIGNED


async def test_public_key_as_a_secret(plain: SealedOpener, clock: FrozenClock) -> None:
    """A MAC under the registered public key, in whatever spelling, is no signature."""
    for secret in (SIGNERS["RSA"].export_to_pem(), SIGNERS["RSA"].export_public().encode()):
        forger = jwk.JWK(kty="oct", k=b64(secret).decode(), alg="HS256", kid="RSA-1")
        token = signed(BODY, forger, "m-1", iat=int(clock.now()))
        assert isinstance(await refused(plain, token), AccessDenied)


@pytest.mark.parametrize(
    ("members", "word"),
    [
        ({"message_id": "m-2"}, "message_id"),
        ({"message_id": None}, "message_id"),
        ({"aud": None}, "aud"),
        ({"aud": "https://other.example.com"}, "aud"),
        ({"aud": ISSUER + "/"}, "aud"),
        ({"aud": [ISSUER]}, "aud"),
        ({"iat": None}, "iat"),
        ({"iat": "now"}, "iat"),
        ({"iat": True}, "iat"),
        ({"reply_to": "amq.gen-mine"}, "reply_to"),
    ],
)
async def test_signed_for_something_else(
    plain: SealedOpener, clock: FrozenClock, members: dict[str, Any], word: str
) -> None:
    """A request that was signed for another message, broker or way back is refused."""
    refusal = await refused(plain, made(clock, **members))
    assert isinstance(refusal, AccessDenied)
    assert word in refusal.sentence


async def test_captured_and_sent_elsewhere(plain: SealedOpener, clock: FrozenClock) -> None:
    """Whoever sends a captured request on can neither change its id nor have its answer."""
    token = made(clock, reply_to="remint.reply.alice.1")
    assert await plain.open(envelope(token, reply_to="remint.reply.alice.1"))
    for taken in ({"reply_to": "remint.reply.mallory.1"}, {"reply_to": None}):
        assert "reply_to" in (await refused(plain, token, **taken)).sentence
    silent = made(clock)
    assert await plain.open(envelope(silent))
    assert "reply_to" in (await refused(plain, silent, reply_to="amq.gen-x")).sentence
    assert "message_id" in (await refused(plain, silent, message_id="m-2")).sentence


async def test_address_that_names_another_instance(plain: SealedOpener, clock: FrozenClock) -> None:
    """Where the address of a message names the instance, it is the one that was signed."""
    assert await plain.open(envelope(made(clock), instance="orders"))
    assert "instance" in (await refused(plain, made(clock), instance="others")).sentence
    without = made(clock, instance=None)
    assert "instance" in (await refused(plain, without, instance="orders")).sentence


async def test_window(plain: SealedOpener, clock: FrozenClock) -> None:
    """A signature is good for five minutes to either side of its time."""
    token = made(clock)
    for seconds in (-WINDOW_SECONDS, 0, WINDOW_SECONDS):
        clock.at = FrozenClock().at + seconds
        assert await plain.open(envelope(token))
    clock.at = FrozenClock().at + WINDOW_SECONDS + 1
    assert isinstance(await refused(plain, token), RequestExpired)
    clock.at = FrozenClock().at - WINDOW_SECONDS - 1
    assert isinstance(await refused(plain, token), AccessDenied)


async def test_nobody_is_registered(ring: KeyRing, clock: FrozenClock) -> None:
    """Without registered keys no signature counts."""
    opener = opener_of(ring, None, clock, strict=False)
    assert (await refused(opener, made(clock))).sentence == NOT_SIGNED


async def test_file_that_changes(plain: SealedOpener, clock: FrozenClock, keys_file: Path) -> None:
    """A key counts from the moment it is in the file, no longer than it is, and a file that cannot
    be read changes nothing."""
    _write(keys_file, "{")
    assert await plain.open(envelope(made(clock)))
    os.remove(keys_file)
    assert await plain.open(envelope(made(clock)))
    late = signing_key("EC", "late")
    _write(keys_file, registered(late))
    token = signed(BODY, late, "m-1", iat=int(clock.now()))
    assert (await plain.open(envelope(token))).requester == "key:late"
    assert (await refused(plain, made(clock))).sentence == NOT_SIGNED


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("{", "JSON"),
        ("[]", "keys"),
        ('{"keys": {}}', "keys"),
        ('{"keys": [5]}', "key 1"),
        ('{"keys": [{"kty": "oct", "k": "AAAA", "kid": "a"}]}', "secret"),
        (json.dumps({"keys": [json.loads(signing_key().export_private())]}), "private"),
        (json.dumps({"keys": [json.loads(SIGNERS["EC"].export_public())] * 2}), "same kid"),
        (json.dumps({"keys": [{**public(SIGNERS["EC"]), "kid": None}]}), "needs a kid"),
        (json.dumps({"keys": [{**public(SIGNERS["EC"]), "use": "enc"}]}), "use"),
        (json.dumps({"keys": [{**public(SIGNERS["EC"]), "alg": "ECDH-ES"}]}), "alg"),
        (json.dumps({"keys": [{**public(SIGNERS["OKP"]), "crv": "Ed448"}]}), "Ed25519"),
    ],
)
def test_file_that_is_wrong(tmp_path: Path, text: str, word: str) -> None:
    """A file of keys that cannot be meant is refused, with the place and what is wrong."""
    path = tmp_path / "keys.json"
    path.write_text(text)
    with pytest.raises(InvalidRequest) as caught:
        RequesterKeys(path)
    assert str(path) in caught.value.sentence
    assert word in caught.value.sentence


def test_no_file(tmp_path: Path) -> None:
    """A file that is not there is named."""
    with pytest.raises(InvalidRequest, match="No such file"):
        RequesterKeys(tmp_path / "none.json")

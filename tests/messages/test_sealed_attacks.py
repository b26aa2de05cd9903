"""What others' CVEs teach of JWE: none of it gets in, and no failure says how far it came."""

from __future__ import annotations

import json
import time
import zlib
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from jwcrypto import jwk

from adapters.keys.ring import KeyRing
from adapters.messages.opening import SealedOpener
from adapters.messages.sealed import CANNOT_DECRYPT
from broker.errors import InvalidRequest, PayloadTooLarge, Refusal
from tests.messages.conftest import SIGNERS, envelope, ours
from tests.support.door import FrozenClock
from tests.support.jose import b64, encrypted, reheaded, reply_key, signed, unb64

BODY = {"instance": "orders", "input_token_state": {"password": "secret"}}
HEADER_RULE = "the JOSE header may have"
SHORT_SECONDS = 60  # of JSON that would take minutes if it were worked on


async def refusal(opener: SealedOpener, token: bytes, **properties: Any) -> Refusal:
    with pytest.raises(InvalidRequest) as caught:
        await opener.open(envelope(token, **properties))
    return caught.value


@pytest.mark.parametrize(
    ("members", "sentence"),
    [
        ({"alg": "RSA1_5"}, "alg must be"),
        ({"alg": "RSA-OAEP"}, "alg must be"),
        ({"alg": "dir"}, "alg must be"),
        ({"alg": "A256KW"}, "alg must be"),
        ({"alg": "none"}, "alg must be"),
        ({"alg": "ecdh-es"}, "alg must be"),
        ({"alg": ["ECDH-ES"]}, "alg must be"),
        ({"alg": "ECDH-ES+A256KW"}, "alg must be"),
        ({"alg": "PBES2-HS256+A128KW", "p2s": "AAAA", "p2c": 2**31}, HEADER_RULE),
        ({"enc": "A128CBC-HS256"}, "enc must be"),
        ({"enc": "A128GCM"}, "enc must be"),
        ({"enc": None}, "enc must be"),
        ({"zip": "DEF"}, HEADER_RULE),
        ({"crit": ["exp"], "exp": 1}, HEADER_RULE),
        ({"crit": []}, HEADER_RULE),
        ({"jku": "http://127.0.0.1:1/keys"}, HEADER_RULE),
        ({"x5u": "http://127.0.0.1:1/cert"}, HEADER_RULE),
        ({"jwk": {"kty": "EC"}}, HEADER_RULE),
        ({"x5c": ["AAAA"]}, HEADER_RULE),
        ({"kid": None}, "must name the key"),
        ({"kid": ""}, "must name the key"),
        ({"kid": "x" * 256}, "must name the key"),
        ({"kid": ["x"]}, "must name the key"),
        ({"kid": "../../dev/null"}, CANNOT_DECRYPT),
        ({"epk": None}, "needs an epk"),
        ({"epk": "x"}, "needs an epk"),
        ({"cty": "xml"}, "cty in the JOSE header"),
        ({"cty": 5}, "cty in the JOSE header"),
        ({"apu": 5}, "apu must be"),
    ],
)
async def test_header(
    opener: SealedOpener, ring: KeyRing, members: dict[str, Any], sentence: str
) -> None:
    """A header with another algorithm, compression, a critical extension, a key of the sender's or
    the address of one is refused before any key is used."""
    token = reheaded(encrypted(BODY, ours(ring)), **members)
    assert sentence in (await refusal(opener, token)).sentence


@pytest.mark.parametrize("curve", ["P-384", "P-521", "secp256k1", "X25519"])
async def test_epk_of_another_curve(opener: SealedOpener, ring: KeyRing, curve: str) -> None:
    """The sender's ephemeral key is of our key's curve, whatever else it may be."""
    kind = {"kty": "OKP"} if curve == "X25519" else {"kty": "EC"}
    other = json.loads(jwk.JWK.generate(crv=curve, **kind).export_public())
    other = {name: other[name] for name in ("kty", "crv", "x", "y") if name in other}
    token = reheaded(encrypted(BODY, ours(ring)), epk=other)
    assert "epk" in (await refusal(opener, token)).sentence


@pytest.mark.parametrize("y", [1, 0, 2**256 - 1])
async def test_point_that_is_not_on_the_curve(opener: SealedOpener, ring: KeyRing, y: int) -> None:
    """An invalid point, by which a key could be learnt piece by piece, is refused."""
    epk = {"kty": "EC", "crv": "P-256", "x": b64(b"\1" * 32).decode()}
    epk["y"] = b64(y.to_bytes(32, "big")).decode()
    token = reheaded(encrypted(BODY, ours(ring)), epk=epk)
    assert (await refusal(opener, token)).sentence == CANNOT_DECRYPT


@pytest.mark.parametrize("algorithm", ["ECDH-ES", "RSA-OAEP-256"])
@pytest.mark.parametrize("part", range(5))
async def test_altered_part(opener: SealedOpener, ring: KeyRing, algorithm: str, part: int) -> None:
    """Each bit is protected: one that is flipped, in any part, ends in one of our sentences."""
    parts = encrypted(BODY, ours(ring, algorithm)).split(b".")
    data = bytearray(unb64(parts[part]) or b"\0")
    data[len(data) // 2] ^= 1
    parts[part] = b64(bytes(data))
    assert (await refusal(opener, b".".join(parts))).sentence


async def test_every_failure_to_decrypt_is_one_sentence(
    opener: SealedOpener, ring: KeyRing
) -> None:
    """A wrapped key that cannot be read, an altered text and a key that nobody has look alike."""
    token = encrypted(BODY, ours(ring, "RSA-OAEP-256"))
    head, key, iv, text, tag = token.split(b".")
    other_key = b64(bytes(256))
    altered = b64(bytes([unb64(text)[0] ^ 1]) + unb64(text)[1:])
    unknown = reheaded(token, kid="nobody")
    told = [
        (await refusal(opener, each)).sentence
        for each in (
            b".".join([head, other_key, iv, text, tag]),
            b".".join([head, key, iv, altered, tag]),
            b".".join([head, b64(unb64(key)[:-3]), iv, text, tag]),
            unknown,
        )
    ]
    assert told == [CANNOT_DECRYPT] * 4


@pytest.mark.parametrize("size", [0, 1, 4, 12, 15, 17, 32])
async def test_tag_of_another_length(opener: SealedOpener, ring: KeyRing, size: int) -> None:
    """A short tag could be guessed: only 16 bytes are one."""
    *rest, tag = encrypted(BODY, ours(ring)).split(b".")
    cut = (unb64(tag) * 2)[:size]
    sentence = (await refusal(opener, b".".join([*rest, b64(cut)]))).sentence
    assert "a tag of 16" in sentence


async def test_compressed_plaintext_is_no_request(opener: SealedOpener, ring: KeyRing) -> None:
    """A bomb that is compressed inside is not unpacked: it is no JSON."""
    bomb = zlib.compress(b"[" * 50_000_000)
    assert "JSON" in (await refusal(opener, encrypted(bomb, ours(ring)))).sentence


async def test_wrapped_key_of_another_length(opener: SealedOpener, ring: KeyRing) -> None:
    """A content key of 16 bytes, which would make it A128GCM, decrypts nothing."""
    public = ours(ring, "RSA-OAEP-256")
    head = b64(json.dumps({"alg": "RSA-OAEP-256", "enc": "A256GCM", "kid": public["kid"]}).encode())
    cek, iv = bytes(16), bytes(12)
    key = serialization.load_pem_public_key(public.export_to_pem())
    wrapped = key.encrypt(  # type: ignore[union-attr]  # RSA, as asked for
        cek, padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    )
    sealed = AESGCM(cek).encrypt(iv, json.dumps(BODY).encode(), head)
    token = b".".join([head, *map(b64, (wrapped, iv, sealed[:-16], sealed[-16:]))])
    assert (await refusal(opener, token)).sentence == CANNOT_DECRYPT


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
async def test_signing_key_never_decrypts(
    opener: SealedOpener, ring: KeyRing, algorithm: str
) -> None:
    """What is encrypted to a signing key of the JWKS stays closed."""
    key = ours(ring, algorithm)
    key["use"], key["alg"] = "enc", {"RS256": "RSA-OAEP-256", "ES256": "ECDH-ES"}[algorithm]
    assert (await refusal(opener, encrypted(BODY, key))).sentence == CANNOT_DECRYPT


async def test_algorithm_of_another_kind_of_key(opener: SealedOpener, ring: KeyRing) -> None:
    """A kid of one kind under the algorithm of the other stays closed."""
    token = encrypted(BODY, ours(ring), {"kid": ours(ring, "RSA-OAEP-256")["kid"]})
    assert (await refusal(opener, token)).sentence == CANNOT_DECRYPT


async def test_signed_is_not_encrypted(opener: SealedOpener, ring: KeyRing) -> None:
    """Three parts where five are asked for are a readable credential, and a JWS inside a JWE that
    does not say so is no request."""
    inner = signed(BODY, SIGNERS["EC"], "m-1")
    assert "encrypted alone" in (await refusal(opener, inner)).sentence
    assert "JSON" in (await refusal(opener, encrypted(inner, ours(ring)))).sentence


async def test_encrypted_is_not_signed(opener: SealedOpener, ring: KeyRing) -> None:
    """A JWE inside a JWE, where a JWS is said to be, proves nothing."""
    key = ours(ring)
    nested = encrypted(encrypted(BODY, key), key, {"cty": "jose"})
    assert "three parts" in (await refusal(opener, nested)).sentence


@pytest.mark.parametrize(
    "token",
    [
        b"",
        b".",
        b"....",
        b"a.b.c.d",
        b"a.b.c.d.e",
        b"a.b.c.d.e.f",
        b"{}",
        b'{"protected":"","recipients":[]}',
        b"\xff.\xff.\xff.\xff.\xff",
        b64(b"[]") + b"....",
        b64(b'{"alg":"ECDH-ES","alg":"RSA1_5"}') + b"....",
        b64(b'{"alg":' * 5000) + b"....",
        b64(b"[" * 6000) + b"....",
        b64(b'"' + b"a" * 9000 + b'"') + b"....",
        b64(b'{"alg":"ECDH-ES"}') + b"=....",
        b" " + b64(b'{"alg":"ECDH-ES"}') + b"....",
    ],
)
async def test_garbage(opener: SealedOpener, token: bytes) -> None:
    """Whatever is no compact JWE is refused with a sentence."""
    assert (await refusal(opener, token)).sentence


async def test_too_long(opener: SealedOpener, ring: KeyRing) -> None:
    """The limit is looked at before anything is taken apart; a batch has a higher one."""
    began = time.process_time()
    with pytest.raises(PayloadTooLarge):
        await opener.open(envelope(b"a" * 20_000_000))
    assert time.process_time() - began < SHORT_SECONDS
    large = encrypted({**BODY, "padding": "x" * 2_000_000}, ours(ring))
    with pytest.raises(PayloadTooLarge):
        await opener.open(envelope(large))
    opened = await opener.open(envelope(large, type="translate.batch"))
    assert opened.encrypted
    with pytest.raises(PayloadTooLarge):
        await opener.open(envelope(b"a" * 40_000_000, type="translate.batch"))


@pytest.mark.parametrize("algorithm", ["ECDH-ES", "RSA-OAEP-256"])
async def test_superseded_key(
    opener: SealedOpener, ring: KeyRing, clock: FrozenClock, algorithm: str
) -> None:
    """A superseded key decrypts for the age of a JWKS and a day, and no longer."""
    token = encrypted(BODY, ours(ring, algorithm))
    await ring.encryption.rotate("/", algorithm)
    clock.advance(300 + 24 * 3600 - 1)
    assert (await opener.open(envelope(token))).encrypted
    clock.advance(2)
    assert (await refusal(opener, token)).sentence == CANNOT_DECRYPT


@pytest.mark.parametrize(
    ("members", "sentence"),
    [
        ({"use": "sig"}, "use"),
        ({"alg": "ES256"}, "alg"),
        ({"key_ops": ["sign"]}, "key_ops"),
        ({"key_ops": "deriveKey"}, "key_ops"),
        ({"crv": "P-384"}, "P-256"),
        ({"x": "AAAA"}, "32 bytes"),
        ({"x": 5}, "base64url"),
        ({"x": "A+/="}, "base64url"),
        ({"y": "AQ" * 21 + "A"}, ""),
        ({"kty": "oct", "k": "AAAA"}, "secret"),
        ({"kty": "OKP"}, "kty"),
        ({"kty": None}, "kty"),
        ({"d": "AAAA"}, "private"),
    ],
)
async def test_reply_key_that_is_not_fit(
    opener: SealedOpener, ring: KeyRing, members: dict[str, Any], sentence: str
) -> None:
    """An answer is encrypted to a public key of the right kind and purpose, or not at all."""
    jwk_members = {**json.loads(reply_key().export_public()), **members}
    token = encrypted({**BODY, "reply_jwk": jwk_members}, ours(ring))
    told = (await refusal(opener, token)).sentence
    assert told.startswith("reply_jwk cannot be used")
    assert sentence in told


@pytest.mark.parametrize("value", [None, "x", 5, [], {}])
async def test_reply_key_that_is_none(opener: SealedOpener, ring: KeyRing, value: object) -> None:
    """A reply_jwk that is no key never means an answer in the clear."""
    token = encrypted({**BODY, "reply_jwk": value}, ours(ring))
    assert (await refusal(opener, token)).sentence.startswith("reply_jwk cannot be used")


@pytest.mark.parametrize(("bits", "exponent"), [(1024, 65537), (2048, 3), (8192, 65537)])
async def test_weak_rsa_reply_key(
    opener: SealedOpener, ring: KeyRing, bits: int, exponent: int
) -> None:
    """An RSA key to answer to has 2048 to 4096 bits and an exponent that is not small."""
    number = (1 << (bits - 1)) | 1
    weak = {
        "kty": "RSA",
        "n": b64(number.to_bytes(bits // 8, "big")).decode(),
        "e": b64(exponent.to_bytes(3, "big").lstrip(b"\0")).decode(),
    }
    token = encrypted({**BODY, "reply_jwk": weak}, ours(ring))
    assert (await refusal(opener, token)).sentence.startswith("reply_jwk cannot be used")

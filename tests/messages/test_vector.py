"""The vector in docs/vectors is what the broker reads and what an independent library reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from jwcrypto import jwe, jwk, jws

from adapters.keys.encryption import EncryptionKey
from adapters.messages.opening import SealedOpener
from adapters.messages.requesters import RequesterKeys
from adapters.messages.sealed import ReplySealer
from adapters.messages.signed import SignedRequests
from tests.messages.conftest import JWKS_URL, envelope
from tests.support.door import FrozenClock
from tests.support.jose import decrypted, registered

VECTOR = json.loads(
    (Path(__file__).parents[2] / "docs" / "vectors" / "signed-request.json").read_text()
)
KEYS = VECTOR["keys"]
ALGORITHMS = ["ECDH-ES", "RSA-OAEP-256"]


class VectorKeys:
    """The broker's keys of the vector."""

    async def find(self, kid: str) -> EncryptionKey | None:
        row = next((row for row in KEYS["broker"] if row["kid"] == kid), None)
        if row is None:
            return None
        pem = jwk.JWK(**row).export_to_pem(private_key=True, password=None)
        private: Any = load_pem_private_key(pem, None)
        return EncryptionKey(kid, row["alg"], private)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_broker_reads_it(tmp_path: Path, algorithm: str) -> None:
    """The broker of the vector finds the signer, the request, and where the answer goes."""
    path = tmp_path / "requesters.json"
    path.write_text(registered(jwk.JWK(**KEYS["requester"])))
    signed = SignedRequests(
        RequesterKeys(path), audience=VECTOR["aud"], clock=FrozenClock(VECTOR["now"])
    )
    opener = SealedOpener(VectorKeys(), signed, require_encrypted=True, jwks_url=JWKS_URL)
    token = VECTOR["encrypted"][algorithm].encode()
    opened = await opener.open(envelope(token, message_id=VECTOR["message_id"], requester=None))
    assert opened.requester == VECTOR["requester"]
    assert json.loads(opened.body) == VECTOR["payload"]
    assert opened.sealer is not None
    answer = opened.sealer.seal(b"an answer")
    assert decrypted(answer, jwk.JWK(**KEYS["reply"])) == b"an answer"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_jwcrypto_reads_it(algorithm: str) -> None:
    """An independent library decrypts the request, verifies the signature, and opens the answer."""
    outer = jwe.JWE(algs=[algorithm, "A256GCM"])
    [key] = [row for row in KEYS["broker"] if row["alg"] == algorithm]
    outer.deserialize(VECTOR["encrypted"][algorithm], jwk.JWK(**key))
    assert outer.payload.decode() == VECTOR["signed"]
    assert json.loads(outer.objects["protected"])["cty"] == "jose"
    inner = jws.JWS()
    inner.allowed_algs = ["ES256"]
    public = {name: value for name, value in KEYS["requester"].items() if name != "d"}
    inner.deserialize(VECTOR["signed"], jwk.JWK(**public))
    assert json.loads(inner.payload) == VECTOR["payload"]
    answer = VECTOR["answer"]
    opened = decrypted(answer["encrypted"].encode(), jwk.JWK(**KEYS["reply"]))
    assert opened.decode() == answer["plain"]


@pytest.mark.parametrize("kind", [{"kty": "EC", "crv": "P-256"}, {"kty": "RSA", "size": 2048}])
def test_jwcrypto_reads_our_answers(kind: dict[str, Any]) -> None:
    """An answer is a compact JWE with the kid of the reply key, A256GCM, and its content type."""
    mine = jwk.JWK.generate(kid="mine", **kind)
    sealed = ReplySealer(mine.export_public(as_dict=True)).seal(b'{"a": 1}')
    assert decrypted(sealed, mine) == b'{"a": 1}'
    read = jwe.JWE(algs=["ECDH-ES", "RSA-OAEP-256", "A256GCM"])
    read.deserialize(sealed.decode())
    header = json.loads(read.objects["protected"])
    assert (header["kid"], header["enc"], header["cty"]) == ("mine", "A256GCM", "application/json")

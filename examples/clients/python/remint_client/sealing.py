"""Requests encrypted to the broker and answers encrypted to us (RFC 7516), signed if asked.

A request is a compact JWE to a key of the broker's set, ``A256GCM`` under ECDH-ES or RSA-OAEP-256.
Inside is the request with ``reply_jwk``, the public half of this client's reply key;
or a compact JWS (RFC 7515) of it, and then the JWE header says ``cty: jose``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any, Final

from joserfc import jwe, jws
from joserfc.errors import JoseError
from joserfc.jwe import JWERegistry
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from remint_client.keys import KeySource

JOSE: Final = "application/jose"
SIGNED_TYPE: Final = "remint-request+jws"
CONTENT_ENCRYPTION: Final = "A256GCM"
REPLY_ALGORITHM: Final = "ECDH-ES"
MAX_ANSWER_BYTES = 32 * 1024 * 1024  # a batch of 1,000 assertions

SigningKey = ECKey | RSAKey | OKPKey

_SIGNATURES = {"EC": "ES256", "RSA": "RS256", "OKP": "EdDSA"}


class _Encryption(JWERegistry):
    """The library's limits are for tokens; a batch is longer."""

    max_ciphertext_length = MAX_ANSWER_BYTES


class _Signature(JWSRegistry):
    """The broker knows Ed25519 by its older name, which the library uses under protest."""

    max_payload_length = MAX_ANSWER_BYTES

    def get_alg(self, name: str) -> Any:  # the library keeps the name of the type to itself
        return self.algorithms[name]


class Signer:
    """Signs requests as one registered requester, for one realm.

    ``key`` is the requester's private key (P-256, RSA, or Ed25519), as a JWK with its ``kid``.
    ``audience`` is the realm's issuer. Raises ValueError for a key that cannot be used.
    """

    def __init__(self, key: Mapping[str, Any], audience: str) -> None:
        self._kid = key.get("kid")
        self._algorithm = _SIGNATURES.get(str(key.get("kty")), "")
        if not isinstance(self._kid, str) or not self._kid:
            raise ValueError("the signing key needs the kid that it is registered under")
        if not audience:
            raise ValueError("a signed request needs an audience: the issuer of the realm")
        self._key = _private(key)
        self._audience = audience

    def sign(self, request: Mapping[str, Any], message_id: str) -> str:
        """The request as a compact JWS that holds for this message id alone, and for minutes."""
        payload = {
            **request,
            "message_id": message_id,
            "iat": int(time.time()),
            "aud": self._audience,
        }
        header = {"alg": self._algorithm, "kid": self._kid, "typ": SIGNED_TYPE}
        return jws.serialize_compact(
            header,
            json.dumps(payload).encode(),
            self._key,
            registry=_Signature(algorithms=[self._algorithm]),
        )


class Sealer:
    """Encrypts requests to the broker, and opens the answers to them."""

    def __init__(
        self,
        keys: KeySource,
        signer: Signer | None = None,
        reply_key: Mapping[str, Any] | None = None,
    ) -> None:
        """Raises ValueError for a reply key that cannot be used."""
        self._keys = keys
        self._signer = signer
        self._reply_key = ECKey.generate_key("P-256") if reply_key is None else _own(reply_key)
        self._reply_jwk = {
            **self._reply_key.as_dict(private=False),
            "kid": self._reply_key.thumbprint(),
            "use": "enc",
            "alg": REPLY_ALGORITHM,
        }

    async def seal(self, request: Mapping[str, Any], message_id: str) -> bytes:
        """The request, readable to the broker alone. Raises KeysUnavailable."""
        to = await self._keys.current()
        header = {"alg": to.algorithm, "enc": CONTENT_ENCRYPTION, "kid": to.kid}
        inside = {**request, "reply_jwk": self._reply_jwk}
        if self._signer is None:
            plaintext = json.dumps(inside)
        else:
            plaintext = self._signer.sign(inside, message_id)
            header["cty"] = "jose"
        allowed = _Encryption(algorithms=[to.algorithm, CONTENT_ENCRYPTION])
        return jwe.encrypt_compact(header, plaintext.encode(), to.key, registry=allowed).encode()

    def open(self, body: bytes) -> bytes:
        """What is in an encrypted answer. Raises ValueError if it is not for us."""
        allowed = _Encryption(algorithms=[REPLY_ALGORITHM, CONTENT_ENCRYPTION])
        try:
            opened = jwe.decrypt_compact(body, self._reply_key, registry=allowed)
        except (JoseError, ValueError) as error:
            raise ValueError(f"an answer cannot be decrypted: {type(error).__name__}") from None
        if opened.plaintext is None:
            raise ValueError("an answer cannot be decrypted")
        return opened.plaintext


def _own(key: Mapping[str, Any]) -> ECKey:
    found = _private(key, "reply") if key.get("kty") == "EC" else None
    if not isinstance(found, ECKey) or key.get("crv") != "P-256":
        raise ValueError("the reply key must be a private JWK on P-256")
    return found


def _private(key: Mapping[str, Any], what: str = "signing") -> SigningKey:
    kinds: dict[str, type[SigningKey]] = {"EC": ECKey, "RSA": RSAKey, "OKP": OKPKey}
    kind = kinds.get(str(key.get("kty")))
    if kind is None or "d" not in key:
        raise ValueError(f"the {what} key must be a private JWK of kty EC, RSA or OKP")
    if kind is not RSAKey and key.get("crv") not in ("P-256", "Ed25519"):
        raise ValueError(f"the {what} key must be on P-256 or Ed25519")
    try:
        # Its name and use are ours to tell: the library would refuse some uses of its own accord.
        members = {name: value for name, value in key.items() if name not in ("use", "key_ops")}
        return kind.import_key(members)
    except JoseError as error:
        raise ValueError(f"the {what} key cannot be read: {type(error).__name__}") from None

"""From an envelope to the bytes of a request: plain, encrypted, signed, or both."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from adapters import codec
from adapters.messages import sealed
from adapters.messages.envelope import Envelope
from adapters.messages.sealed import JOSE, DecryptionKeys, ReplySealer
from adapters.messages.signed import PARTS as SIGNED_PARTS
from adapters.messages.signed import REQUESTER_PREFIX, SignedRequests
from broker.batch import OPERATION as TRANSLATE_BATCH
from broker.errors import AccessDenied, InvalidRequest, PayloadTooLarge, UnsupportedMediaType

JSON = "application/json"
JSON_TYPES = frozenset({JSON, "text/json"})
PLAIN_ENCODINGS = frozenset({"identity", "utf-8"})

CARRIES_NO_CREDENTIAL = frozenset({"result"})
"""What may be asked in the clear whatever the settings say: it names an id and nothing else."""

JOSE_ROOM_BYTES = 16 * 1024
"""What header, key, tag and signature may add to a body, which base64 makes a third longer."""

AT_ONCE_BYTES = 64 * 1024
"""Larger ones are decrypted on a thread, so that nobody waits for them."""

CONTENT_KINDS = {"": False, "json": False, "jose": True}
"""What a plaintext may be, by ``cty``: whether it is a JWS."""


class AnswerSealer(Protocol):
    """Encrypts the answer to one request for the one who asked.

    ``key`` is kept with the stored answer, which ``sealer_of`` then seals to nobody else.
    """

    content_type: str

    @property
    def key(self) -> Mapping[str, Any]:
        """The requester's public key, a JWK."""

    def seal(self, body: bytes) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Opened:
    """What was in the envelope.

    ``requester`` is set where the request itself proves who asks; it outranks the envelope's.
    ``sealer`` is set where the answer must be encrypted, ``encrypted`` where the request was.
    """

    body: bytes = field(repr=False)
    requester: str | None = None
    sealer: AnswerSealer | None = field(default=None, repr=False)
    encrypted: bool = False


class Opener(Protocol):
    """Knows the content types that a request may have."""

    async def open(self, envelope: Envelope) -> Opened:
        """Raises UnsupportedMediaType, other refusals, and Unavailable."""


class PlainOpener:
    """Bodies in JSON, readable by whoever sees the queue."""

    async def open(self, envelope: Envelope) -> Opened:
        _check_encoding(envelope)
        if media_type(envelope) not in JSON_TYPES:
            raise UnsupportedMediaType("content_type must be application/json, or absent")
        return Opened(envelope.body)


class SealedOpener:
    """Bodies in JSON, or in ``application/jose``: a JWE, a JWS, or a JWS inside a JWE.

    ``require_encrypted`` refuses whatever may hold a credential and came readable. ``jwks_url`` is
    where senders find our keys.
    """

    def __init__(
        self,
        keys: DecryptionKeys,
        signed: SignedRequests,
        *,
        require_encrypted: bool,
        jwks_url: str,
    ) -> None:
        self._keys = keys
        self._signed = signed
        self._require_encrypted = require_encrypted
        self._jwks_url = jwks_url

    async def open(self, envelope: Envelope) -> Opened:
        """Raises also AccessDenied: a signature that does not hold, or a name that is taken."""
        _check_encoding(envelope)
        if (envelope.requester or "").startswith(REQUESTER_PREFIX):
            raise AccessDenied(
                f"names that begin with {REQUESTER_PREFIX} are those of signing keys; "
                "log in at the message server under another"
            )
        media = media_type(envelope)
        if media in JSON_TYPES:
            self._check_may_be_read(envelope)
            return Opened(envelope.body)
        if media != JOSE:
            raise UnsupportedMediaType(
                "content_type must be application/json or application/jose, or absent"
            )
        return await self._jose(envelope)

    async def _jose(self, envelope: Envelope) -> Opened:
        limit = _limits(envelope).body_bytes * 4 // 3 + JOSE_ROOM_BYTES
        if len(envelope.body) > limit:
            raise PayloadTooLarge(f"the body is over {limit} bytes")
        if envelope.body.count(b".") == SIGNED_PARTS - 1:
            self._check_may_be_read(envelope)
            return self._from_jws(envelope.body, envelope, encrypted=False)
        found = sealed.read(envelope.body)
        if found.cty not in CONTENT_KINDS:
            raise InvalidRequest("cty in the JOSE header must be jose, json, or absent")
        key = await self._keys.find(found.kid)
        if len(envelope.body) > AT_ONCE_BYTES:
            plaintext = await asyncio.to_thread(sealed.opened, found, key)
        else:
            plaintext = sealed.opened(found, key)
        if CONTENT_KINDS[found.cty]:
            return self._from_jws(plaintext, envelope, encrypted=True)
        members = _object(plaintext, envelope)
        return Opened(plaintext, sealer=_sealer(members), encrypted=True)

    def _from_jws(self, token: bytes, envelope: Envelope, *, encrypted: bool) -> Opened:
        found = self._signed.verified(token, envelope, lambda body: _object(body, envelope))
        return Opened(
            found.payload,
            requester=found.requester,
            sealer=_sealer(found.members),
            encrypted=encrypted,
        )

    def _check_may_be_read(self, envelope: Envelope) -> None:
        if self._require_encrypted and envelope.type not in CARRIES_NO_CREDENTIAL:
            raise InvalidRequest(
                "credentials are taken encrypted alone: send content_type application/jose, "
                f"a JWE to a key of {self._jwks_url} whose use is enc"
            )


def sealer_of(reply_key: Mapping[str, Any]) -> AnswerSealer:
    """For an answer that was stored with this key. Raises InvalidRequest if it is unfit by now."""
    return ReplySealer(reply_key)


def media_type(envelope: Envelope) -> str:
    """The media type in lower case, without parameters (RFC 9110, section 8.3.1)."""
    return (envelope.content_type or JSON).partition(";")[0].strip().lower()


def _check_encoding(envelope: Envelope) -> None:
    if (envelope.content_encoding or "identity").lower() not in PLAIN_ENCODINGS:
        raise UnsupportedMediaType("content_encoding must be identity, or absent")


def _limits(envelope: Envelope) -> codec.Limits:
    return codec.BATCH if envelope.type == TRANSLATE_BATCH else codec.SINGLE


def _object(body: bytes, envelope: Envelope) -> Mapping[str, Any]:
    """The members of a body that was signed or encrypted. Raises InvalidRequest."""
    found = codec.decode_json(body, _limits(envelope))
    if not isinstance(found, dict):
        raise InvalidRequest("the body must be a JSON object")
    return found


def _sealer(members: Mapping[str, Any]) -> ReplySealer | None:
    return ReplySealer(members["reply_jwk"]) if "reply_jwk" in members else None

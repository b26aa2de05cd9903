"""Signed requests: a compact JWS (RFC 7515) whose key says who asks.

The payload is the request with four members more, so that a captured one is of no use elsewhere:
``message_id`` must be that of the message, ``iat`` close to now, ``aud`` this broker, and
``reply_to`` where the answer goes, unless ``reply_jwk`` says who alone can read it. Where a
message's address names the instance, the signed ``instance`` must be that one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from adapters.messages import compact
from adapters.messages.envelope import Envelope
from adapters.messages.requesters import RequesterKey, RequesterKeys
from broker.errors import AccessDenied, InvalidRequest, RequestExpired
from broker.model import instance_id
from broker.ports import Clock

TYPE = "remint-request+jws"
PARTS = 3
HEADER = frozenset({"alg", "kid", "typ"})
ES256_INTEGER_BYTES = 32

WINDOW_SECONDS = 300
"""How far ``iat`` may be from our clock, to either side."""

REQUESTER_PREFIX = "key:"
"""Stands before the kid in a requester's name; no user of a message server may be called so."""

NOT_SIGNED = "the signature is not that of a registered key"


@dataclass(frozen=True, slots=True)
class Signed:
    """A request whose signature holds. ``requester`` is the name of who signed."""

    payload: bytes = field(repr=False)
    members: Mapping[str, Any] = field(repr=False)
    requester: str


class SignedRequests:
    """Verifies signed requests. ``audience`` is this broker's public URL."""

    def __init__(self, keys: RequesterKeys | None, *, audience: str, clock: Clock) -> None:
        self._keys = keys
        self._audience = audience
        self._clock = clock

    def verified(
        self, token: bytes, envelope: Envelope, parsed: Callable[[bytes], Mapping[str, Any]]
    ) -> Signed:
        """The request in a JWS; ``parsed`` reads a payload once its signature holds.

        Raises InvalidRequest (no such JWS), AccessDenied (nobody we know signed this message),
        RequestExpired (signed too long ago), and what ``parsed`` raises.
        """
        parts = token.split(b".")
        if len(parts) != PARTS:
            raise InvalidRequest("a signed request is a compact JWS: three parts, dots between")
        header = compact.header(parts[0], HEADER)
        if compact.media(header, "typ") != TYPE:
            raise InvalidRequest(f"typ in the JOSE header must be {TYPE}")
        kid = compact.kid_of(header)
        try:
            payload, signature = compact.unpadded(parts[1]), compact.unpadded(parts[2])
        except ValueError:
            raise InvalidRequest("the parts of a JWS are in base64url without padding") from None
        key = self._keys.find(kid) if self._keys is not None else None
        if key is None or header.get("alg") != key.algorithm:
            raise AccessDenied(NOT_SIGNED, detail="no such key and algorithm")
        if not _holds(key, signature, parts[0] + b"." + parts[1]):
            raise AccessDenied(NOT_SIGNED, detail="bad signature")
        members = parsed(payload)
        self._check(members, envelope)
        return Signed(payload, members, REQUESTER_PREFIX + kid)

    def _check(self, members: Mapping[str, Any], envelope: Envelope) -> None:
        """That it was signed for this broker, this message and this moment."""
        if members.get("aud") != self._audience:
            raise AccessDenied(f"aud must be this broker: {self._audience}")
        if members.get("message_id") != envelope.message_id:
            raise AccessDenied("message_id must be signed, and be that of the message")
        if envelope.instance is not None and not _for_instance(members, envelope.instance):
            raise AccessDenied("instance must be signed, and be that of the message's address")
        if "reply_jwk" not in members and members.get("reply_to") != envelope.reply_to:
            raise AccessDenied(
                "sign where the answer goes: reply_to as the message has it, or reply_jwk"
            )
        issued_at = members.get("iat")
        if isinstance(issued_at, bool) or not isinstance(issued_at, int | float):
            raise AccessDenied("iat must be signed: seconds since the epoch")
        age = self._clock.now() - issued_at
        if age > WINDOW_SECONDS:
            raise RequestExpired(
                f"this was signed over {WINDOW_SECONDS} seconds ago; sign it anew, same message id"
            )
        if not age >= -WINDOW_SECONDS:
            raise AccessDenied("iat is in the future; set your clock")


def _for_instance(members: Mapping[str, Any], addressed: str) -> bool:
    """Whether the signer meant the instance that the message's address names."""
    named = members.get("instance")
    return isinstance(named, str) and instance_id("", named) == addressed


def _holds(key: RequesterKey, signature: bytes, data: bytes) -> bool:
    """Each kind of key verifies its own algorithm (RFC 7518, sections 3.3, 3.4; RFC 8037)."""
    public = key.key
    try:
        if isinstance(public, rsa.RSAPublicKey):
            public.verify(signature, data, padding.PKCS1v15(), hashes.SHA256())
        elif isinstance(public, ec.EllipticCurvePublicKey):
            public.verify(_der(signature), data, ec.ECDSA(hashes.SHA256()))
        else:
            public.verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True


def _der(signature: bytes) -> bytes:
    """r and s, side by side in JWS, as the library wants them. Raises ValueError."""
    if len(signature) != 2 * ES256_INTEGER_BYTES:
        raise ValueError("not r and s")
    r, s = signature[:ES256_INTEGER_BYTES], signature[ES256_INTEGER_BYTES:]
    return encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))

"""What a delivery asks for: the checks that come before any work, in one order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adapters import codec
from adapters.amqp.message import Incoming
from broker.errors import (
    AccessDenied,
    InvalidRequest,
    PayloadTooLarge,
    Refusal,
    RequestExpired,
    UnsupportedMediaType,
)
from broker.idempotency import MAX_REQUEST_ID_LENGTH
from broker.lifecycle import PresentedToken
from broker.model import Requester, TranslationRequest, instance_id

TRANSPORT = "amqp"
MAX_INSTANCE_LENGTH = 1024
JSON_TYPES = frozenset({"application/json", "text/json"})
PLAIN_ENCODINGS = frozenset({"identity", "utf-8"})

TRANSLATE = "translate"
VALIDATE = "validate"
CANCEL = "cancel"
STATE_MEMBER: Mapping[str, str] = {
    VALIDATE: "validated_token_state",
    CANCEL: "cancelled_token_state",
}
OPERATIONS = frozenset({TRANSLATE, *STATE_MEMBER})


@dataclass(frozen=True, slots=True)
class Asked:
    """What came out of the checks: an operation with its request, or with its refusal."""

    operation: str
    request: TranslationRequest | PresentedToken | Refusal

    @property
    def malformed(self) -> Refusal | None:
        """The refusal of a message that nobody could have understood, else None."""
        wrong = (InvalidRequest, PayloadTooLarge, UnsupportedMediaType)
        return self.request if isinstance(self.request, wrong) else None

    def translation(self) -> TranslationRequest:
        """The translation asked for; raises its refusal."""
        if isinstance(self.request, TranslationRequest):
            return self.request
        raise self.refusal()

    def presented(self) -> PresentedToken:
        """The token presented; raises the refusal."""
        if isinstance(self.request, PresentedToken):
            return self.request
        raise self.refusal()

    def refusal(self) -> Refusal:
        """Why there is no such request."""
        if isinstance(self.request, Refusal):
            return self.request
        return InvalidRequest("this type of message carries another request")


def asked(incoming: Incoming, *, allow_anonymous: bool) -> Asked:
    """Never raises: a refusal is a result, to be audited like any other."""
    operation = incoming.type or TRANSLATE
    known = operation if operation in OPERATIONS else "unknown"
    try:
        return Asked(known, _decode(incoming, operation, allow_anonymous))
    except Refusal as refusal:
        return Asked(known, refusal)


def _decode(
    incoming: Incoming, operation: str, allow_anonymous: bool
) -> TranslationRequest | PresentedToken:
    _check_envelope(incoming, operation, allow_anonymous)
    body = codec.decode_json(incoming.body)
    if not isinstance(body, dict):
        raise InvalidRequest("the body must be a JSON object")
    instance = _instance(body)
    if operation in STATE_MEMBER:
        return codec.decode_presented(body, STATE_MEMBER[operation], instance=instance)
    trace = {"traceparent": incoming.traceparent} if incoming.traceparent else {}
    return codec.decode_translation(
        body,
        instance=instance,
        requester=Requester(TRANSPORT, id=incoming.user_id),
        request_id=incoming.message_id,
        deadline=incoming.deadline(),
        trace=trace,
    )


def _check_envelope(incoming: Incoming, operation: str, allow_anonymous: bool) -> None:
    """All that can be refused without reading the body."""
    if not incoming.readable:
        raise InvalidRequest("the properties of this message cannot be read")
    if not incoming.reply_allowed:
        raise InvalidRequest("reply_to names a queue that answers may not go to")
    if incoming.user_id is None and not allow_anonymous:
        raise AccessDenied("set the user_id property: anonymous requesters are not served here")
    if incoming.message_id is None:
        raise InvalidRequest("set the message_id property: it makes a retry safe")
    if len(incoming.message_id) > MAX_REQUEST_ID_LENGTH:
        raise InvalidRequest(f"message_id is over {MAX_REQUEST_ID_LENGTH} characters")
    if operation not in OPERATIONS:
        raise InvalidRequest(f"type must be one of {', '.join(sorted(OPERATIONS))}")
    if incoming.expired:
        raise RequestExpired("this request expired before its turn came")
    if (incoming.content_encoding or "identity").lower() not in PLAIN_ENCODINGS:
        raise UnsupportedMediaType("content_encoding must be identity, or absent")
    media_type = (incoming.content_type or "application/json").partition(";")[0].strip().lower()
    if media_type not in JSON_TYPES:
        raise UnsupportedMediaType("content_type must be application/json, or absent")


def _instance(body: Mapping[str, Any]) -> str:
    value = body.get("instance")
    if not isinstance(value, str) or not value.strip("/") or len(value) > MAX_INSTANCE_LENGTH:
        raise InvalidRequest('instance must be a string such as "realm/element"')
    return instance_id("", value)

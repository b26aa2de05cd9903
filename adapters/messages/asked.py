"""What a message asks for: the checks that come before any work, in one order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from adapters import codec
from adapters.messages.envelope import Envelope
from adapters.messages.opening import AnswerSealer, Opened, Opener
from broker.batch import OPERATION, BatchRequest
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
from broker.results import Inquiry

MAX_INSTANCE_LENGTH = 1024

TRANSLATE = "translate"
TRANSLATE_BATCH = OPERATION
VALIDATE = "validate"
CANCEL = "cancel"
RESULT = "result"
STATE_MEMBER: Mapping[str, str] = {
    VALIDATE: "validated_token_state",
    CANCEL: "cancelled_token_state",
}
OPERATIONS = frozenset({TRANSLATE, TRANSLATE_BATCH, RESULT, *STATE_MEMBER})

ANSWERED_ONCE = frozenset({TRANSLATE, TRANSLATE_BATCH})
"""What may have its answer already, from before it expired in its queue: the ledger is asked."""

LONG_AGO = 0.0
EXPIRED = "this request expired before its turn came"

Request = TranslationRequest | BatchRequest | PresentedToken | Inquiry


@dataclass(frozen=True, slots=True)
class Asked:
    """What came out of the checks: an operation with its request, or with its refusal."""

    operation: str
    request: Request | Refusal
    requester: str | None = None
    sealer: AnswerSealer | None = field(default=None, repr=False)

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

    def batch(self) -> BatchRequest:
        """The batch asked for; raises its refusal."""
        if isinstance(self.request, BatchRequest):
            return self.request
        raise self.refusal()

    def inquiry(self) -> Inquiry:
        """The question for an earlier answer; raises the refusal."""
        if isinstance(self.request, Inquiry):
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


def too_late(envelope: Envelope, asked: Asked | None) -> Asked:
    """A request whose time ran out in our hands; ``asked`` if it was read by then."""
    if asked is None:
        operation = envelope.type or TRANSLATE
        known = operation if operation in OPERATIONS else "unknown"
        return Asked(known, RequestExpired(EXPIRED), envelope.requester)
    return replace(asked, request=RequestExpired(EXPIRED))


class Decoder:
    """Reads envelopes, under one transport's rules."""

    def __init__(self, opener: Opener, *, allow_anonymous: bool) -> None:
        self._opener = opener
        self._allow_anonymous = allow_anonymous

    async def asked(self, envelope: Envelope) -> Asked:
        """A refusal is a result, to be audited like any other. Raises Unavailable."""
        operation = envelope.type or TRANSLATE
        asked = Asked(
            operation if operation in OPERATIONS else "unknown",
            InvalidRequest("this message was not read"),
            envelope.requester,
        )
        try:
            _check_envelope(envelope, operation)
            opened = await self._opener.open(envelope)
            requester = opened.requester or envelope.requester
            asked = replace(asked, requester=requester, sealer=opened.sealer)
            if requester is None and not self._allow_anonymous:
                raise AccessDenied("say who you are: anonymous requesters are not served here")
            return replace(asked, request=_decode(envelope, operation, opened, requester))
        except Refusal as refusal:
            return replace(asked, request=refusal)


def _check_envelope(envelope: Envelope, operation: str) -> None:
    """All that can be refused without reading the body."""
    if envelope.problem is not None:
        raise envelope.problem
    if envelope.message_id is None:
        raise InvalidRequest("set the message id: it makes a retry safe")
    if len(envelope.message_id) > MAX_REQUEST_ID_LENGTH:
        raise InvalidRequest(f"the message id is over {MAX_REQUEST_ID_LENGTH} characters")
    if operation not in OPERATIONS:
        raise InvalidRequest(f"type must be one of {', '.join(sorted(OPERATIONS))}")
    if envelope.expired and operation not in ANSWERED_ONCE:
        raise RequestExpired(EXPIRED)


def _decode(envelope: Envelope, operation: str, opened: Opened, requester: str | None) -> Request:
    limits = codec.BATCH if operation == TRANSLATE_BATCH else codec.SINGLE
    body = codec.decode_json(opened.body, limits)
    if not isinstance(body, dict):
        raise InvalidRequest("the body must be a JSON object")
    asks = Requester(envelope.transport, id=requester, by_key=opened.requester is not None)
    if operation == RESULT:
        return Inquiry(codec.decode_asked_for(body), asks, encrypts=True)
    instance = envelope.instance or _instance(body)
    if operation in STATE_MEMBER:
        return codec.decode_presented(body, STATE_MEMBER[operation], instance=instance)
    decode = codec.decode_batch if operation == TRANSLATE_BATCH else codec.decode_translation
    return decode(
        body,
        instance=instance,
        requester=asks,
        request_id=envelope.message_id,
        deadline=LONG_AGO if envelope.expired else envelope.deadline,
        trace=envelope.trace,
        reply_key=opened.sealer.key if opened.sealer is not None else None,
    )


def _instance(body: Mapping[str, Any]) -> str:
    value = body.get("instance")
    if not isinstance(value, str) or not value.strip("/") or len(value) > MAX_INSTANCE_LENGTH:
        raise InvalidRequest('instance must be a string such as "realm/element"')
    return instance_id("", value)

"""What a message asks for: the checks that come before any work, in one order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from adapters import codec
from adapters.messages.envelope import Envelope
from adapters.messages.opening import AnswerSealer, Opened, Opener
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

MAX_INSTANCE_LENGTH = 1024

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
    if envelope.expired:
        raise RequestExpired("this request expired before its turn came")


def _decode(
    envelope: Envelope, operation: str, opened: Opened, requester: str | None
) -> TranslationRequest | PresentedToken:
    body = codec.decode_json(opened.body)
    if not isinstance(body, dict):
        raise InvalidRequest("the body must be a JSON object")
    instance = envelope.instance or _instance(body)
    if operation in STATE_MEMBER:
        return codec.decode_presented(body, STATE_MEMBER[operation], instance=instance)
    return codec.decode_translation(
        body,
        instance=instance,
        requester=Requester(envelope.transport, id=requester),
        request_id=envelope.message_id,
        deadline=envelope.deadline,
        trace=envelope.trace,
    )


def _instance(body: Mapping[str, Any]) -> str:
    value = body.get("instance")
    if not isinstance(value, str) or not value.strip("/") or len(value) > MAX_INSTANCE_LENGTH:
        raise InvalidRequest('instance must be a string such as "realm/element"')
    return instance_id("", value)

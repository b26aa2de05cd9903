"""What all transports share: JSON in, a frozen request; an answer or an error, JSON out.

The error body and its codes are CREST's, on every transport. ``STATUS`` is the one table from the
errors of the core to the numbers of the wire; a test holds it complete.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import orjson

from broker import errors
from broker.batch import MAX_PARTS, BatchRequest, Part
from broker.idempotency import MAX_REQUEST_ID_LENGTH
from broker.lifecycle import PresentedToken
from broker.model import (
    OPENAM,
    X509,
    Answer,
    PresentedCertificate,
    ReceivedToken,
    RequestedToken,
    Requester,
    Secret,
    TokenType,
    TranslationRequest,
)

MAX_BODY_BYTES = 1024 * 1024
MAX_JSON_DEPTH = 32
MAX_CONTAINERS = 20_000  # counted as bytes before anything is parsed
MAX_TOKEN_TYPE_LENGTH = 128

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
"""Of UTF-8. Clients on Windows write it, AM ignores it, and so may we (RFC 8259, section 8.1)."""

MAX_BATCH_BYTES = 16 * 1024 * 1024
MAX_BATCH_CONTAINERS = 100_000
MAX_BATCH_COMMAS = 500_000  # what parsing takes of memory grows with these, not with the bytes

NOTHING: Mapping[Any, Any] = MappingProxyType({})

STATUS: Mapping[type[errors.RemintError], int] = {
    errors.InvalidRequest: 400,
    errors.InvalidToken: 401,
    errors.AccessDenied: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.MethodNotAllowed: 405,
    errors.RequestExpired: 408,
    errors.Conflict: 409,
    errors.Gone: 410,
    errors.PreconditionFailed: 412,
    errors.PayloadTooLarge: 413,
    errors.UnsupportedMediaType: 415,
    errors.TooManyAttempts: 429,
    errors.PlugInFailed: 500,
    errors.NotSupported: 501,
    errors.Unavailable: 503,
}

REASONS: Mapping[int, str] = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    409: "Conflict",
    410: "Gone",
    412: "Precondition Failed",
    413: "Request Entity Too Large",
    415: "Unsupported Media Type",
    429: "Too Many Requests",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
}


@dataclass(frozen=True, slots=True)
class Limits:
    """What a body may have: bytes, brackets and braces, commas. All are counted as bytes before
    anything is parsed."""

    body_bytes: int
    containers: int
    commas: int | None = None


SINGLE = Limits(MAX_BODY_BYTES, MAX_CONTAINERS)
BATCH = Limits(MAX_BATCH_BYTES, MAX_BATCH_CONTAINERS, MAX_BATCH_COMMAS)


class NotJson(errors.InvalidRequest):
    """The body is not one JSON value; ``where`` is the parser's word for it."""

    def __init__(self, where: str) -> None:
        super().__init__("the body is not valid JSON")
        self.where = where


def status_of(error: BaseException) -> int:
    """The status of an error: that of its nearest ancestor in the table, else 500."""
    for ancestor in type(error).__mro__:
        status = STATUS.get(ancestor)
        if status is not None:
            return status
    return 500


def error_body(error: BaseException) -> dict[str, Any]:
    """The CREST error body: ``code``, ``reason``, ``message``, and ``detail`` where there is one.

    Only the public sentence of our own errors leaves; anything else says nothing of its cause.
    """
    status = status_of(error)
    reason = REASONS[status]
    message = error.sentence if isinstance(error, errors.RemintError) else reason
    body: dict[str, Any] = {"code": status, "reason": reason, "message": message}
    if isinstance(error, NotJson):
        body["detail"] = error.where
    elif isinstance(error, errors.InvalidDocument):
        body["detail"] = [{"key": key, "message": said} for key, said in error.problems]
    return body


def answer_refusal(refusal: Exception) -> Answer:
    """A refusal as the answer that is stored and replayed; any failure in the words of the wire."""
    return Answer(status_of(refusal), error_body(refusal))


def retry_advice(status: int) -> str:
    """What asking again can do: ``never`` helps, ``same-id`` is safe and useful, or ``later``."""
    if status == 503:
        return "same-id"
    if status in (408, 429):
        return "later"
    return "never" if status < 500 else "same-id"


def advice(answer: Answer) -> str:
    """What asking again can do about an answer; about that of a batch, the most for any part."""
    if answer.token_id is not None or not isinstance(answer.body.get("results"), list):
        return retry_advice(answer.status)
    found = {retry_advice(code) for code in map(_code, answer.body["results"]) if code}
    return next((said for said in ("same-id", "later") if said in found), "never")


def _code(part: Any) -> int:
    """The status of a part that was refused; 0 for any other, such as a custom token."""
    code = part.get("code") if isinstance(part, dict) else None
    return code if isinstance(code, int) else 0


def encode(value: Any, *, pretty: bool = False) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 if pretty else 0)


def decode_json(body: bytes, limits: Limits = SINGLE) -> Any:
    """One JSON value, within the limits of size and depth; an empty body is an empty object.

    Raises PayloadTooLarge, NotJson, InvalidRequest.
    """
    if len(body) > limits.body_bytes:
        raise errors.PayloadTooLarge(f"the body is over {limits.body_bytes} bytes")
    body = body.removeprefix(BYTE_ORDER_MARK)
    if not body.strip():
        return {}
    containers = body.count(b"[") + body.count(b"{")
    if containers > limits.containers:
        raise errors.InvalidRequest(
            f"the body has more than {limits.containers} brackets and braces"
        )
    if limits.commas is not None and body.count(b",") > limits.commas:
        raise errors.InvalidRequest(f"the body has more than {limits.commas} commas")
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        # The parser's words only: its document attribute holds the body, which holds secrets.
        raise NotJson(f"{error.msg} at line {error.lineno} column {error.colno}") from None
    if containers > MAX_JSON_DEPTH:  # else it cannot be deeper
        _check_depth(value)
    return value


def decode_object(body: bytes, limits: Limits = SINGLE) -> Mapping[str, Any]:
    """A JSON object; any other value is treated as one without members, as the reference does."""
    value = decode_json(body, limits)
    return value if isinstance(value, dict) else {}


def decode_translation(
    body: Mapping[str, Any],
    *,
    instance: str,
    requester: Requester,
    request_id: str | None = None,
    deadline: float | None = None,
    trace: Mapping[str, str] | None = None,
    reply_key: Mapping[str, Any] | None = None,
    presented: Callable[[], PresentedCertificate | errors.Refusal] | None = None,
    context: Callable[[TokenType], Mapping[str, Secret]] | None = None,
    part: bool = False,
) -> TranslationRequest:
    """The request in a translate body.

    ``presented`` gives the client's certificate where the transport has one; only an input of the
    type X509 asks for it. ``context`` gives what else of the request belongs to a token of a type.
    What the tokens mean is worked out where somebody will ask: for a request with an id, and for a
    ``part`` of a batch. Raises InvalidRequest.
    """
    given = _state(body, "input_token_state")
    wanted = _state(body, "output_token_state")
    asked = request_id is not None or part
    given_type = _token_type(given, "input_token_state")
    wanted_type = _token_type(wanted, "output_token_state")
    return TranslationRequest(
        instance=instance,
        subject_token=ReceivedToken(
            given_type,
            given,
            _canonical(given) if asked else b"",
            presented() if presented is not None and given_type == X509 else None,
            context(given_type) if context is not None else NOTHING,
            requester,
        ),
        requested_token=RequestedToken(wanted_type, wanted, _canonical(wanted) if asked else b""),
        requester=requester,
        request_id=request_id,
        deadline=deadline,
        trace=trace or NOTHING,
        reply_key=reply_key,
    )


def decode_batch(
    body: Mapping[str, Any],
    *,
    instance: str,
    requester: Requester,
    request_id: str | None = None,
    deadline: float | None = None,
    trace: Mapping[str, str] | None = None,
    reply_key: Mapping[str, Any] | None = None,
    presented: Callable[[], PresentedCertificate | errors.Refusal] | None = None,
    context: Callable[[TokenType], Mapping[str, Secret]] | None = None,
) -> BatchRequest:
    """The batch in a body. A part that cannot be understood is one with a refusal; ``reply_key``
    is kept with the batch, without which nobody finds the answers of its parts.

    Raises InvalidRequest if there is no list of 1 to ``MAX_PARTS`` requests.
    """
    given = body.get("requests")
    if not isinstance(given, list) or not 0 < len(given) <= MAX_PARTS:
        raise errors.InvalidRequest(f"requests must be a list of 1 to {MAX_PARTS} requests")

    def part(value: Any) -> Part:
        try:
            if not isinstance(value, dict):
                raise errors.InvalidRequest("a request of a batch must be a JSON object")
            request = decode_translation(
                value,
                instance=instance,
                requester=requester,
                request_id=request_id,
                deadline=deadline,
                trace=trace,
                presented=presented,
                context=context,
                part=True,
            )
        except errors.Refusal as refusal:
            return Part(refusal, _canonical(value))
        given = request.subject_token
        meaning = (given.canonical, request.requested_token.canonical, *given.beside)
        return Part(request, b"\n".join(meaning))

    return BatchRequest(
        instance=instance,
        parts=[part(value) for value in given],
        requester=requester,
        request_id=request_id,
        deadline=deadline,
        trace=trace or {},
        reply_key=reply_key,
    )


def decode_asked_for(body: Mapping[str, Any]) -> str:
    """The id of the earlier request whose answer is asked for. Raises InvalidRequest."""
    value = body.get("request_id")
    if not isinstance(value, str) or not 0 < len(value) <= MAX_REQUEST_ID_LENGTH:
        raise errors.InvalidRequest(
            f"request_id must be the id of an earlier request, up to {MAX_REQUEST_ID_LENGTH} "
            "characters"
        )
    return value


def session_canonical(session_id: str) -> bytes:
    """The meaning of a subject token that is a session of ours, and says no more than that."""
    return _canonical({"token_type": OPENAM, "session_id": session_id})


def decode_presented(body: Mapping[str, Any], member: str, *, instance: str) -> PresentedToken:
    """The token state in a validate or cancel body. Raises InvalidRequest if it is absent."""
    return PresentedToken(instance=instance, unverified=_state(body, member))


def _state(body: Mapping[str, Any], member: str) -> Mapping[str, Any]:
    state = body.get(member)
    if not isinstance(state, dict):
        raise errors.InvalidRequest(f"{member} must be set to a JSON object")
    return state


def _token_type(state: Mapping[str, Any], member: str) -> TokenType:
    value = state.get("token_type")
    if not isinstance(value, str) or not value or len(value) > MAX_TOKEN_TYPE_LENGTH:
        raise errors.InvalidRequest(f"{member} needs a string token_type")
    return TokenType(value)


def _canonical(state: Any) -> bytes:
    return orjson.dumps(state, option=orjson.OPT_SORT_KEYS)


def _check_depth(value: Any) -> None:
    """Walk level by level, without recursion."""
    level: list[Any] = [[value]]
    for _ in range(MAX_JSON_DEPTH + 1):
        level = [
            child
            for container in level
            for child in (container.values() if isinstance(container, dict) else container)
            if isinstance(child, (dict, list))
        ]
        if not level:
            return
    raise errors.InvalidRequest(f"the body is nested deeper than {MAX_JSON_DEPTH} levels")

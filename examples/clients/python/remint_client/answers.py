"""Answers as they came, and what they say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from remint_client.errors import Refused, UnexpectedAnswer, advice

FIRST_REFUSAL = 400


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, opened: its status, what asking again can do, and its body."""

    status: int
    retry: str
    body: Mapping[str, Any] = field(repr=False)
    headers: Mapping[str, Any] = field(default_factory=dict)

    @property
    def refused(self) -> bool:
        return self.status >= FIRST_REFUSAL

    def refusal(self) -> Refused:
        return Refused.of(self.body, self.status, self.retry)


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A token, and what was said of it.

    ``request_id`` brings the same token again. ``expires_at`` is in seconds since the epoch, and
    None where the broker did not say. ``trace`` is the trace context that came back (W3C).
    """

    token: str = field(repr=False)
    request_id: str
    token_id: str | None = None
    expires_at: int | None = None
    trace: Mapping[str, str] = field(default_factory=dict)


def issued(answer: Answer, request_id: str) -> IssuedToken:
    """The token of a translation's answer. Raises UnexpectedAnswer if there is none."""
    if "results" in answer.body:
        raise UnexpectedAnswer(f"{request_id!r} is the id of a batch: use batch_result")
    headers = answer.headers
    token_id, expires_at = headers.get("token-id"), headers.get("expires-at")
    return IssuedToken(
        token=_token(answer.body),
        request_id=request_id,
        token_id=token_id if isinstance(token_id, str) else None,
        expires_at=expires_at if isinstance(expires_at, int) else None,
        trace={name: headers[name] for name in ("traceparent", "tracestate") if name in headers},
    )


def results(
    answer: Answer, request_id: str, parts: int | None = None
) -> list[IssuedToken | Refused]:
    """What became of each request of a batch, in order. Raises UnexpectedAnswer if that is not
    what the answer says, or not of as many ``parts``."""
    found = answer.body.get("results")
    if not isinstance(found, list):
        raise UnexpectedAnswer(f"{request_id!r} was not answered as a batch: use result")
    if parts is not None and len(found) != parts:
        raise UnexpectedAnswer(f"{parts} requests were sent, and {len(found)} answered")
    return [_part(item, request_id) for item in found]


def _part(item: Any, request_id: str) -> IssuedToken | Refused:
    if not isinstance(item, dict):
        raise UnexpectedAnswer("a part of a batch was answered with neither token nor refusal")
    return Refused.of(item) if "code" in item else IssuedToken(_token(item), request_id)


def _token(body: Mapping[str, Any]) -> str:
    token = body.get("issued_token")
    if not isinstance(token, str) or not token:
        raise UnexpectedAnswer("the answer says that a token was issued, and holds none")
    return token


def read(body: Mapping[str, Any], headers: Mapping[str, Any]) -> Answer:
    """The answer in a decoded body and its headers. Raises ValueError if it is none."""
    status = headers.get("status")
    if not isinstance(status, int) or isinstance(status, bool):
        raise ValueError("the answer has no status")
    retry = headers.get("retry")
    return Answer(status, retry if isinstance(retry, str) else advice(status), body, headers)

"""The client, for programs that run an event loop."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import unquote, urlsplit

from remint_client import answers
from remint_client.answers import Answer, IssuedToken
from remint_client.asking import Asking, Request
from remint_client.errors import Refused
from remint_client.keys import KeySource
from remint_client.sealing import Sealer, Signer

REQUESTS: Final = "remint.requests"
BATCHES: Final = "remint.requests.batch"
CONTROL: Final = "remint.control"

DEFAULT_TIMEOUT_SECONDS = 30.0
DEFAULT_RESEND_SECONDS = 30.0

State = Mapping[str, Any]


class RemintClient:
    """Asks a Remint broker for tokens, over one connection to RabbitMQ.

    Use it in ``async with``; one client serves any number of tasks at once. Each request is sent
    until RabbitMQ has it and a final answer came, always under the same id, so that a token is
    issued once, whatever breaks meanwhile. Every method raises Refused (the broker's no), TimedOut
    (the outcome is unknown), UnexpectedAnswer (a yes without a token), NotAllowed (RabbitMQ's no)
    and KeysUnavailable.

    ``url`` is RabbitMQ's, such as ``amqps://user:password@host/``; requests are made in the name
    of its user. ``jwks`` is the broker's key set, or the https URL of it (``/oauth2/jwks`` of the
    realm): with it requests and answers are encrypted, the answers to ``reply_key``, a private JWK
    (P-256); without it, to a key that the client makes. ``signing_key`` is the private JWK of a
    registered requester and ``audience`` the issuer of its realm: with them requests are signed.
    After ``resend_seconds`` without an answer a request is sent again, then after twice as long.
    """

    def __init__(
        self,
        url: str,
        *,
        jwks: str | Mapping[str, Any] | None = None,
        reply_key: Mapping[str, Any] | None = None,
        signing_key: Mapping[str, Any] | None = None,
        audience: str = "",
        timeout: float = DEFAULT_TIMEOUT_SECONDS,
        resend_seconds: float = DEFAULT_RESEND_SECONDS,
    ) -> None:
        signer = None if signing_key is None else Signer(signing_key, audience)
        if signer is not None and jwks is None:
            raise ValueError("signed requests are encrypted too: give jwks")
        if reply_key is not None and jwks is None:
            raise ValueError("a reply key is for encrypted requests: give jwks")
        sealer = None if jwks is None else Sealer(KeySource(jwks), signer, reply_key)
        self._timeout = timeout
        self._asking = Asking(url, _user(url), sealer, resend_seconds)

    async def __aenter__(self) -> Self:
        await self._asking.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._asking.close()

    async def translate(
        self,
        instance: str,
        input_token_state: State,
        output_token_state: State,
        *,
        request_id: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109  # it is more than the time of one call
        deadline: float | None = None,
        trace: Mapping[str, str] | None = None,
    ) -> IssuedToken:
        """A token for another; ``instance`` is ``realm/element``, the states are those of REST.

        ``request_id`` makes it the same request as an earlier one, and its answer the same.
        ``timeout`` is in seconds. After ``deadline``, in seconds since the epoch, nothing is
        signed. ``trace`` is a W3C trace context: ``traceparent`` and ``tracestate``.
        """
        body = {
            "instance": instance,
            "input_token_state": dict(input_token_state),
            "output_token_state": dict(output_token_state),
        }
        request = Request(
            REQUESTS, "translate", body, request_id or _new_id(), deadline, dict(trace or {})
        )
        return answers.issued(await self._ask(request, timeout), request.id)

    async def translate_batch(
        self,
        instance: str,
        requests: Sequence[tuple[State, State]],
        *,
        request_id: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
        deadline: float | None = None,
        trace: Mapping[str, str] | None = None,
    ) -> list[IssuedToken | Refused]:
        """Up to 1,000 translations, as pairs of input and output state.

        The result has one entry for each, in order: its token, or why it was refused. Parts that
        failed for a moment are asked for again, until ``timeout``.
        """
        items = [
            {"input_token_state": dict(given), "output_token_state": dict(wanted)}
            for given, wanted in requests
        ]
        body = {"instance": instance, "requests": items}
        request = Request(
            BATCHES, "translate.batch", body, request_id or _new_id(), deadline, dict(trace or {})
        )
        return answers.results(await self._ask(request, timeout), request.id, len(items))

    async def validate(
        self,
        instance: str,
        token_state: State,
        *,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> bool:
        """Whether a token that the instance issued still stands."""
        body = {"instance": instance, "validated_token_state": dict(token_state)}
        answer = await self._ask(Request(CONTROL, "validate", body, _new_id()), timeout)
        return answer.body.get("token_valid") is True

    async def cancel(
        self,
        instance: str,
        token_state: State,
        *,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> None:
        """Take a token back. When this returns, no broker calls it valid any more."""
        body = {"instance": instance, "cancelled_token_state": dict(token_state)}
        await self._ask(Request(CONTROL, "cancel", body, _new_id()), timeout)

    async def result(
        self,
        request_id: str,
        *,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> IssuedToken:
        """The token of an earlier request of this user, without the credentials it took.

        Raises Refused with the refusal of that request, or with 404 if there is none (yet), or
        with 410 when its answer is no longer kept. An answer that was encrypted is encrypted to the
        same key again: a client with another ``reply_key`` cannot read it, and times out.
        """
        return answers.issued(await self._result(request_id, timeout), request_id)

    async def batch_result(
        self,
        request_id: str,
        *,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> list[IssuedToken | Refused]:
        """The answers to an earlier batch of this user, in order; as ``result`` otherwise."""
        return answers.results(await self._result(request_id, timeout), request_id)

    async def _result(self, request_id: str, seconds: float | None) -> Answer:
        body = {"request_id": request_id}
        return await self._ask(Request(CONTROL, "result", body, _new_id()), seconds)

    async def _ask(self, request: Request, seconds: float | None) -> Answer:
        answer = await self._asking.ask(request, self._timeout if seconds is None else seconds)
        if answer.refused:
            raise answer.refusal()
        return answer


def _user(url: str) -> str:
    """The user of an AMQP URL; without one the library logs in as ``guest``."""
    return unquote(urlsplit(url).username or "guest")


def _new_id() -> str:
    return uuid.uuid4().hex

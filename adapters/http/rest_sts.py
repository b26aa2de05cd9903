"""``/rest-sts/<realm>/<url-element>``: translate, validate and cancel.

``translate_batch`` is an extension of ours: many translations in one request.
"""

from __future__ import annotations

from collections.abc import Callable

from adapters import codec
from adapters.components import Components
from adapters.http.address import AddressBook
from adapters.http.call import TRANSLATE_BATCH, Call, Reply
from adapters.http.client_certificate import ClientCertificates, Presented
from adapters.http.mapping_context import Named, named
from broker.batch import BatchRequest
from broker.errors import AccessDenied, InvalidRequest, NotSupported, UnknownInstance
from broker.idempotency import MAX_REQUEST_ID_LENGTH
from broker.lifecycle import PresentedToken
from broker.model import TranslationRequest, instance_id

QUERIES = ("_queryFilter", "_queryId", "_queryExpression")


class RestSts:
    """The actions need no session: the input token is the credential."""

    def __init__(self, components: Components) -> None:
        self._pipeline = components.pipeline
        self._lifecycle = components.lifecycle
        self._instances = components.instances
        self._sessions = components.sessions
        book = AddressBook(components.settings.http.trusted_proxies)
        self._certificates = ClientCertificates(book)

    async def handle(self, call: Call) -> Reply:
        instance = instance_id("", call.path)
        call.attempt.instance = instance
        # First of all, whatever else is wrong: nothing is routed to an instance that is not there.
        try:
            found = await self._instances.resolve(instance)
        except UnknownInstance as refusal:
            if call.method == "POST" and call.action in ("translate", TRANSLATE_BATCH):
                await self._pipeline.rejected(call.attempt, refusal)
            raise
        if call.method == "POST":
            presented = self._certificates.of(call.request, found)
            if call.action == "translate":
                return await self._translate(call, instance, presented, named(call, found))
            if call.action == TRANSLATE_BATCH:
                context = named(call, found)
                return await self._translate_batch(call, instance, presented, context)
            if call.action == "validate":
                return await self._validate(call, instance)
            if call.action == "cancel":
                return await self._cancel(call, instance)
        return await self._refuse(call)

    async def _translate(
        self, call: Call, instance: str, presented: Presented, context: Named | None
    ) -> Reply:
        body = await call.body()
        request_id = _request_id(call)

        def decode() -> TranslationRequest:
            return codec.decode_translation(
                codec.decode_object(body),
                instance=instance,
                requester=call.requester,
                request_id=request_id,
                trace=call.trace,
                presented=presented,
                context=context,
            )

        answer = await self._pipeline.translate(call.attempt, decode)
        return Reply(answer.body, answer.status)

    async def _translate_batch(
        self, call: Call, instance: str, presented: Presented, context: Named | None
    ) -> Reply:
        call.place.take()
        body = await call.body()
        request_id = _request_id(call)

        def decode() -> BatchRequest:
            return codec.decode_batch(
                codec.decode_object(body, codec.BATCH),
                instance=instance,
                requester=call.requester,
                request_id=request_id,
                trace=call.trace,
                presented=presented,
                context=context,
            )

        answer = await self._pipeline.translate_batch(call.attempt, decode)
        return Reply(answer.body, answer.status)

    async def _validate(self, call: Call, instance: str) -> Reply:
        presented = _presented(await call.body(), "validated_token_state", instance)
        return Reply({"token_valid": await self._lifecycle.validate(call.attempt, presented)})

    async def _cancel(self, call: Call, instance: str) -> Reply:
        presented = _presented(await call.body(), "cancelled_token_state", instance)
        token_type = await self._lifecycle.cancel(call.attempt, presented)
        return Reply({"result": f"{token_type} token cancelled successfully."})

    async def _refuse(self, call: Call) -> Reply:
        """Everything else an instance can be asked, each with its row of section 1.9."""
        if call.method == "GET" and not any(name in call.query for name in QUERIES):
            raise NotSupported("an instance cannot be read; use POST with _action=translate")
        if call.method in ("PUT", "PATCH"):
            raise NotSupported("an instance cannot be changed here; use /sts-publish/rest")
        if call.method == "POST" and call.action is None and call.protocol < (2, 1):
            raise InvalidRequest("name an _action: translate, validate or cancel")
        if await self._sessions.find(call.session_id) is None:
            raise AccessDenied(
                "Access Denied: without a session there are _action=translate, validate and cancel"
            )
        if call.method == "POST" and call.action is not None:
            raise NotSupported("that action is not supported; use translate, validate or cancel")
        if call.method == "POST":
            raise InvalidRequest("an instance is no collection; name an _action")
        if call.method == "DELETE":
            raise InvalidRequest("an instance cannot be deleted here; use /sts-publish/rest")
        raise InvalidRequest("an instance cannot be queried; use /sts-tokengen")


def _presented(body: bytes, member: str, instance: str) -> Callable[[], PresentedToken]:
    """The decoding, for the core to do: so what cannot be decoded is audited like all else."""
    return lambda: codec.decode_presented(codec.decode_object(body), member, instance=instance)


def _request_id(call: Call) -> str | None:
    value = call.header("Idempotency-Key")
    if value is None:
        return None
    value = value.strip().strip('"')
    if not value or len(value) > MAX_REQUEST_ID_LENGTH or not value.isprintable():
        raise InvalidRequest(
            f"Idempotency-Key is 1 to {MAX_REQUEST_ID_LENGTH} printable characters"
        )
    return value

"""``/sts-publish/rest``: administrators publish, read, update and delete instances (section 3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from adapters.components import Components
from adapters.http.call import Call, Reply
from adapters.instances import forgerock, view_bean
from broker.errors import (
    AlreadyPublished,
    Forbidden,
    InvalidRequest,
    NotSupported,
    PreconditionFailed,
)
from broker.model import ROOT_REALM, InstanceDocument, Session, instance_id, normal_realm

STRUCTURED = "invocation_context_client_sdk"
FLAT = "invocation_context_view_bean"
QUERIES = ("_queryFilter", "_queryId", "_queryExpression")


class Publish:
    """The instance's realm decides which administrators may touch it."""

    def __init__(self, components: Components) -> None:
        self._instances = components.instances
        self._secure = components.settings.http.tls != "off"
        self._sessions = components.sessions

    async def handle(self, call: Call) -> Reply:
        session = await self._sessions.administrator(call.session_id)
        call.attempt.requester = session.principal
        call.attempt.operation = f"instances {call.method.lower()}"
        instance = instance_id("", call.path)
        if instance:
            call.attempt.instance = instance
        if call.method == "POST" and not instance:
            return await self._create(call, session)
        if call.method == "GET" and not instance:
            return await self._read_all(call, session)
        if call.method == "GET":
            _refuse_query(call)
            return await self._read(instance, session)
        if call.method == "PUT" and instance:
            return await self._update(call, instance, session)
        if call.method == "DELETE" and instance:
            return await self._delete(call, instance, session)
        if call.method in ("PUT", "DELETE"):
            raise InvalidRequest("name the instance in the path")
        raise Forbidden("this is not offered to anybody")

    async def soap(self, call: Call) -> Reply:
        """``/sts-publish/soap``: there is no WS-Trust service here that could be published."""
        session = await self._sessions.administrator(call.session_id)
        call.attempt.requester = session.principal
        call.attempt.operation = f"soap instances {call.method.lower()}"
        raise NotSupported(
            "this broker has no SOAP instances; publish a REST instance at /sts-publish/rest"
        )

    async def _create(self, call: Call, session: Session) -> Reply:
        if call.action is None and call.protocol < (2, 1):
            raise InvalidRequest("name an _action: create")
        if call.action not in (None, "create"):
            raise Forbidden("this action is not offered to anybody")
        call.needs_content_type()
        state = _instance_state(await call.json_object())
        _check_realm(session, _realm_of(state))
        document = await self._instances.publish(state)
        call.attempt.instance = document.id
        return Reply(
            {
                "_id": document.id,
                "_rev": document.revision,
                "result": "success",
                "url_element": document.id,
            },
            201,
            {
                "Location": _location(call, document.id, secure=self._secure),
                "ETag": f'"{document.revision}"',
            },
        )

    async def _read(self, instance: str, session: Session) -> Reply:
        document = await self._instances.get(instance)
        _check_realm(session, document.realm)
        return Reply(
            {"_id": document.id, "_rev": document.revision, document.id: _shown(document)},
            headers={"ETag": f'"{document.revision}"'},
        )

    async def _read_all(self, call: Call, session: Session) -> Reply:
        _refuse_query(call)
        documents = await self._instances.list()
        seen = [d for d in documents if session.realm in (ROOT_REALM, d.realm)]
        return Reply({"_id": "published_instances", "_rev": "", **{d.id: _shown(d) for d in seen}})

    async def _update(self, call: Call, instance: str, session: Session) -> Reply:
        call.needs_content_type()
        if call.header("If-None-Match") == "*":
            existing = await self._instances.get(instance)
            raise AlreadyPublished(f"an instance is published at {existing.id}")
        state = _instance_state(await call.json_object())
        old = await self._instances.get(instance)
        _check_realm(session, old.realm)
        document = await self._instances.update(instance, state, call.expected_revision())
        return Reply(
            {"_id": document.id, "_rev": document.revision, "result": "success"},
            headers={"ETag": f'"{document.revision}"'},
        )

    async def _delete(self, call: Call, instance: str, session: Session) -> Reply:
        if call.header("If-None-Match") is not None:
            raise PreconditionFailed("If-None-Match makes no sense on a delete")
        old = await self._instances.get(instance)
        _check_realm(session, old.realm)
        document = await self._instances.delete(instance, call.expected_revision())
        result = f"rest sts instance {document.id} successfully removed from realm {document.realm}"
        return Reply({"_id": document.id, "_rev": document.revision, "result": result})


def _location(call: Call, instance: str, *, secure: bool) -> str:
    """Where the new instance can be read, in the characters of a URL (RFC 3986, section 2).

    A proxy that terminates TLS speaks plain HTTP to the broker, and HTTPS to who follows this.
    """
    scheme, host = "https" if secure else "http", call.header("Host") or ""
    return f"{scheme}://{quote(host, safe=':[]')}{call.request.path.rstrip('/')}/{quote(instance)}"


def _refuse_query(call: Call) -> None:
    if any(name in call.query for name in QUERIES):
        raise NotSupported("REST instances cannot be queried; read them all")


def _instance_state(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """What is to be published, structured. Raises InvalidRequest, InvalidInstance."""
    context = body.get("invocation_context")
    if context not in (STRUCTURED, FLAT):
        raise InvalidRequest(f"invocation_context must be {STRUCTURED} or {FLAT}")
    state = body.get("instance_state")
    if not isinstance(state, dict):
        raise InvalidRequest("instance_state must be set to a JSON object")
    return view_bean.structured(state) if context == FLAT else state


def _realm_of(state: Mapping[str, Any]) -> str:
    draft, _ = forgerock.decode(state)
    return draft.realm


def _check_realm(session: Session, realm: str) -> None:
    if session.realm not in (ROOT_REALM, normal_realm(realm)):
        raise Forbidden("the user is not an administrator of this realm")


def _shown(document: InstanceDocument) -> dict[str, Any]:
    return forgerock.shown(document.body)

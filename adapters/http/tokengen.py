"""``/sts-tokengen``: administrators list, read and revoke issued tokens (contract, section 2).

``POST ?_action=cancel`` is an extension of ours: it cancels all tokens of an instance, a principal
or a signing key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from adapters.components import Components
from adapters.http import filters
from adapters.http.call import Call, Reply
from broker.errors import Forbidden, InvalidRequest, MethodNotAllowed, NotFound
from broker.model import ROOT_REALM, Session, TokenRecord
from broker.policy import shown
from broker.ports import TokenQuery

PAGE_SIZE = 1000
SELECTORS = ("instance", "principal", "key")
SELECTORS_SAID = "one or more of instance, principal and key"
OTHER_QUERIES = ("_queryId", "_queryExpression")


class TokenGen:
    """The root realm's administrators see every token, a realm's its own."""

    def __init__(self, components: Components) -> None:
        self._lifecycle = components.lifecycle
        self._sessions = components.sessions

    async def handle(self, call: Call) -> Reply:
        session = await self._sessions.administrator(call.session_id)
        call.attempt.requester = session.principal
        call.attempt.operation = f"tokens {call.method.lower()}"
        alias = call.path.strip("/")
        if call.method == "GET" and not alias:
            return await self._query(call, session)
        if call.method == "GET":
            return await self._read(alias, session)
        if call.method == "DELETE" and alias:
            return await self._delete(call, alias, session)
        if call.method in ("GET", "DELETE"):
            raise InvalidRequest("name the token in the path")
        if call.method == "POST" and not alias and call.action == "cancel":
            return await self._cancel(call, session)
        if call.method in ("POST", "PUT", "PATCH"):
            raise Forbidden("tokens are issued by /rest-sts alone")
        raise MethodNotAllowed("use GET or DELETE")

    async def _query(self, call: Call, session: Session) -> Reply:
        wanted = _wanted(call)
        items = [] if wanted is None else await self._all(wanted, session)
        return Reply(
            {
                "result": items,
                "resultCount": len(items),
                "pagedResultsCookie": None,
                "totalPagedResultsPolicy": "NONE",
                "totalPagedResults": -1,
                "remainingPagedResults": -1,
            }
        )

    async def _all(self, wanted: dict[str, str], session: Session) -> list[dict[str, Any]]:
        query = TokenQuery(
            instance=wanted.get("sts_id"),
            principal=wanted.get("token_principal"),
            realm=_realm(session),
            limit=PAGE_SIZE,
        )
        items: list[dict[str, Any]] = []
        while True:
            page = await self._lifecycle.query(query)
            items.extend(_item(record) for record in page)
            if len(page) < PAGE_SIZE:
                return items
            query = replace(query, after=page[-1].alias)

    async def _read(self, alias: str, session: Session) -> Reply:
        record = await self._lifecycle.get(alias)
        if record is None or not _may_see(session, record):
            raise NotFound(f"there is no token with id {shown(alias)}")
        return Reply(_item(record))

    async def _delete(self, call: Call, alias: str, session: Session) -> Reply:
        call.attempt.token_alias = shown(alias)
        record = await self._lifecycle.get(alias)
        if record is not None and _may_see(session, record):
            call.attempt.instance, call.attempt.token_id = record.instance, record.token_id
            await self._lifecycle.revoke(record, call.attempt)
        result = f"token with id {alias} successfully removed."
        return Reply({"_id": alias, "_rev": alias, "result": result})

    async def _cancel(self, call: Call, session: Session) -> Reply:
        """All tokens that match the whole of the body."""
        attempt = call.attempt
        attempt.operation = "tokens cancel"
        named = _selectors(await call.json_object())
        instance, principal, key_id = (named.get(member) for member in SELECTORS)
        attempt.instance, attempt.principal, attempt.key_id = (
            value and shown(value) for value in (instance, principal, key_id)
        )
        attempt.realm = _realm(session)
        query = TokenQuery(
            instance=instance, principal=principal, key_id=key_id, realm=attempt.realm
        )
        ended = await self._lifecycle.cancel_matching(query, attempt)
        attempt.extra["cancelled"] = str(ended)
        return Reply({"cancelled": ended})


def _selectors(body: Mapping[str, Any]) -> dict[str, str]:
    """Which tokens are meant; nothing is left to chance, since there is no way back."""
    for member, value in body.items():
        if member not in SELECTORS:
            raise InvalidRequest(f"there is no member {shown(member)}; use {SELECTORS_SAID}")
        if not isinstance(value, str) or not value:
            raise InvalidRequest(f"{member} must be a string that is not empty")
    if not body:
        raise InvalidRequest(f"say which tokens are meant, by {SELECTORS_SAID}")
    return dict(body)


def _realm(session: Session) -> str | None:
    """Whose tokens an administrator reaches; None is every realm's."""
    return None if session.realm == ROOT_REALM else session.realm


def _wanted(call: Call) -> dict[str, str] | None:
    text = call.query.get("_queryFilter")
    other = any(name in call.query for name in OTHER_QUERIES)
    if text is None:
        raise InvalidRequest(filters.USAGE)
    if other:
        raise InvalidRequest("_queryFilter excludes the other kinds of query")
    return filters.parse(text)


def _may_see(session: Session, record: TokenRecord) -> bool:
    return session.realm in (ROOT_REALM, record.realm)


def _item(record: TokenRecord) -> dict[str, Any]:
    return {
        "_id": record.alias,
        "_rev": "",
        "token_id": record.alias,
        "sts_id": record.instance,
        "principal_name": record.principal,
        "token_type": record.type,
        "expiration_time": record.expires_at,
    }

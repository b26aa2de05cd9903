"""``/sts-tokengen``: administrators list, read and revoke issued tokens.

``POST ?_action=cancel`` is an extension of ours: it cancels all tokens of an instance, a principal
or a signing key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from adapters.components import Components
from adapters.http import filters, paging
from adapters.http.call import Call, Reply
from adapters.http.paging import PageCookies, PageWanted
from broker.errors import Forbidden, InvalidRequest, MethodNotAllowed, NotFound
from broker.model import ROOT_REALM, Session, TokenRecord
from broker.policy import shown
from broker.ports import TokenQuery

MAX_UNPAGED = 100_000
"""More than this is listed in pages, or the answer would be too large to make at once."""

MAX_COUNTED = 100_000
"""Beyond this nobody counts how many records match a query."""

SELECTORS = ("instance", "principal", "key")
SELECTORS_SAID = "one or more of instance, principal and key"
OTHER_QUERIES = ("_queryId", "_queryExpression")


class TokenGen:
    """The root realm's administrators see every token, a realm's its own."""

    def __init__(self, components: Components) -> None:
        self._lifecycle = components.lifecycle
        self._sessions = components.sessions
        self._cookies = PageCookies(components.page_key)
        self._kept = components.kept_tokens

    async def handle(self, call: Call) -> Reply:
        session = await self._sessions.administrator(call.session_id)
        call.attempt.requester = session.principal
        call.attempt.operation = f"tokens {call.method.lower()}"
        alias = call.path.strip("/")
        if call.method == "GET" and not alias:
            return await self._query(call, session)
        if call.method == "GET":
            _refuse_query(call)
            return await self._read(call, alias, session)
        if call.method == "DELETE" and alias:
            return await self._delete(call, alias, session)
        if call.method in ("GET", "DELETE"):
            raise InvalidRequest("name the token in the path")
        if call.method == "POST" and not alias and call.action == "cancel":
            return await self._cancel(call, session)
        if call.method in ("POST", "PUT", "PATCH"):
            raise Forbidden("tokens are issued by /rest-sts alone")
        raise MethodNotAllowed("use GET or DELETE", allow=["GET", "DELETE"])

    async def _query(self, call: Call, session: Session) -> Reply:
        wanted = _wanted(call)
        page = paging.wanted(call.query)
        if wanted is None:
            return Reply(_answer([], counted=(0, 0) if page.counted else None))
        query = TokenQuery(
            instance=wanted.get("sts_id"),
            principal=wanted.get("token_principal"),
            realm=_realm(session),
        )
        if page.size is not None:
            return Reply(await self._page(query, page, page.size))
        items = await self._all(query)
        return Reply(_answer(items, counted=(len(items), 0) if page.counted else None))

    async def _all(self, query: TokenQuery) -> list[dict[str, Any]]:
        """All that match. Raises InvalidRequest if they are too many for one answer."""
        items: list[dict[str, Any]] = []
        async for chunk in self._lifecycle.matching(query):
            items += map(_item, chunk)
            if len(items) > MAX_UNPAGED:
                raise InvalidRequest(
                    f"more than {MAX_UNPAGED} tokens match; ask for them in pages, by _pageSize"
                )
        return items

    async def _page(self, query: TokenQuery, page: PageWanted, size: int) -> dict[str, Any]:
        bound = (query.instance, query.principal, query.realm)
        after = None if page.cookie is None else self._cookies.read(page.cookie, bound)
        # One more than was asked for tells whether there is another page.
        found = await self._lifecycle.query(replace(query, after=after, limit=size + 1))
        records = found[:size]
        last = records[-1].alias if records else after
        cookie = self._cookies.made(records[-1].alias, bound) if len(found) > size else None
        counted = await self._counted(query, last or "") if page.counted else None
        return _answer([_item(record) for record in records], cookie, counted)

    async def _counted(self, query: TokenQuery, last: str) -> tuple[int, int] | None:
        """How many match in all, and how many behind ``last``; None if they are too many."""
        total = left = 0
        async for chunk in self._lifecycle.matching(query):
            total += len(chunk)
            left += sum(record.alias > last for record in chunk)
            if total > MAX_COUNTED:
                return None
        return total, left

    async def _read(self, call: Call, alias: str, session: Session) -> Reply:
        call.attempt.token_alias = shown(alias)
        record = await self._lifecycle.get(alias)
        if record is None or not _may_see(session, record):
            raise NotFound(f"there is no token with id {shown(alias)}")
        call.attempt.instance, call.attempt.token_id = record.instance, record.token_id
        token = self._kept.token(record)
        return Reply({**_item(record), **({} if token is None else {"issued_token": token})})

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


def _refuse_query(call: Call) -> None:
    if "_queryFilter" in call.query or any(name in call.query for name in OTHER_QUERIES):
        raise InvalidRequest("a token cannot be queried; query /sts-tokengen itself")


def _answer(
    items: Sequence[Mapping[str, Any]],
    cookie: str | None = None,
    counted: tuple[int, int] | None = None,
) -> dict[str, Any]:
    """A query's answer; ``counted`` is how many there are in all, and behind this page."""
    total, left = (-1, -1) if counted is None else counted
    return {
        "result": items,
        "resultCount": len(items),
        "pagedResultsCookie": cookie,
        "totalPagedResultsPolicy": "NONE" if counted is None else "EXACT",
        "totalPagedResults": total,
        "remainingPagedResults": left,
    }


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

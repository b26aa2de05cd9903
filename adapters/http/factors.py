"""``/json/users/NAME/totp`` and ``…/passcodes``: second factors, for administrators of the realm.

``?module=M`` means the account that the module M calls NAME, not the local user.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from adapters.authentication.factors import passcodes, totp
from adapters.authentication.factors.owners import Owner
from adapters.authentication.factors.passcodes import Passcode, Passcodes
from adapters.authentication.factors.totp import Authenticator, Authenticators, Manner
from adapters.authentication.modules.subjects import is_name
from adapters.components import Components
from adapters.http.call import Call, Reply
from broker.authentication import account
from broker.errors import InvalidRequest, MethodNotAllowed, NotFound
from broker.factors import Factor
from broker.model import Secret
from broker.policy import shown

QUERY = "factors"
"""The ``_queryId`` that lists all second factors of a realm."""

MAX_ISSUER_LENGTH = 64
MAX_CODE_LENGTH = 128
ISSUER = "Remint"
SHOWN_ONCE = {"Cache-Control": "no-store"}

_PLACE = re.compile(r"(?P<name>.+)/(?P<part>totp|passcodes)(?:/(?P<id>[^/]+))?", re.S)
_MODULE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Place:
    """What a path names below the users: ``part`` of the account of ``name``."""

    name: str
    part: str
    id: str | None


def place(rest: str) -> Place | None:
    """None for a path that is not of second factors."""
    found = _PLACE.fullmatch(rest)
    return None if found is None else Place(found["name"], found["part"], found["id"])


class FactorAdministration:
    """Whoever calls it has seen to it that an administrator asks."""

    def __init__(self, components: Components) -> None:
        self._store = components.factors
        self._users = components.users
        self._clock = components.clock
        self._issuer = urlsplit(components.url).hostname or ISSUER
        self._authenticators = Authenticators(components.factors)
        self._passcodes = Passcodes(components.factors)

    async def handle(self, call: Call, realm: str, place: Place) -> Reply:
        owner = await self._owner(call, realm, place.name)
        call.attempt.operation = f"{place.part} {call.method.lower()}"
        if place.part == "totp" and place.id is None:
            return await self._totp(call, owner, place.name)
        if place.part == "passcodes":
            return await self._passcode(call, owner, place.id)
        raise NotFound("an account has one authenticator; leave the end of the path out")

    async def listed(self, realm: str) -> Reply:
        """All of a realm, without what is secret."""
        now = self._clock.now()
        rows = [_row(factor, now) for factor in await self._store.list(realm)]
        return Reply({"result": rows, "resultCount": len(rows)})

    async def forget(self, realm: str, name: str) -> None:
        """A user goes, and the next one of that name has nothing of theirs."""
        for factor in await self._store.list(realm, name):
            await self._store.delete(realm, name, factor.kind, factor.id)

    async def _owner(self, call: Call, realm: str, name: str) -> Owner:
        module = call.query.get("module")
        if module is not None:
            if not _MODULE.fullmatch(module) or not is_name(name):
                raise InvalidRequest("module is the name of a module, and the name is printable")
            return Owner(realm, account(module, name))
        if await self._users.get(realm, name) is None:
            raise NotFound(f"there is no user {shown(name)}")
        return Owner(realm, name)

    async def _totp(self, call: Call, owner: Owner, name: str) -> Reply:
        now = self._clock.now()
        if call.method == "POST" and call.action == "enrol":
            return await self._enrolled(await call.json_object(), owner, name, now)
        if call.method == "POST" and call.action == "confirm":
            code = (await call.json_object()).get("code")
            if not isinstance(code, str) or not 0 < len(code) <= MAX_CODE_LENGTH:
                raise InvalidRequest("code is the authenticator's code")
            confirmed = await self._authenticators.confirm(owner, Secret(code), now)
            return Reply(_authenticator(owner, confirmed, now))
        if call.method in ("GET", "DELETE"):
            found = await self._authenticators.find(owner)
            if found is None:
                raise NotFound("this account has no authenticator")
            if call.method == "DELETE":
                await self._authenticators.remove(owner)
            return Reply(_authenticator(owner, found, now))
        raise MethodNotAllowed(
            "use GET, POST with _action=enrol or confirm, or DELETE",
            allow=["GET", "POST", "DELETE"],
        )

    async def _enrolled(
        self, body: Mapping[str, Any], owner: Owner, name: str, now: float
    ) -> Reply:
        usual = Manner()
        manner = totp.checked_manner(
            body.get("algorithm", usual.algorithm),
            body.get("digits", usual.digits),
            body.get("period", usual.period),
        )
        issuer = body.get("issuer", self._issuer)
        if not isinstance(issuer, str) or not _is_issuer(issuer):
            raise InvalidRequest(
                f"issuer is 1 to {MAX_ISSUER_LENGTH} printable characters without a colon"
            )
        made = await self._authenticators.enrol(owner, manner, now)
        told = {
            "secret": made.base32.reveal(),
            "uri": made.uri(name, issuer).reveal(),
        }
        return Reply({**_authenticator(owner, made, now), **told}, 201, SHOWN_ONCE)

    async def _passcode(self, call: Call, owner: Owner, id_: str | None) -> Reply:
        now = self._clock.now()
        if call.method == "GET" and id_ is None:
            rows = [_row_of(owner, each, now) for each in await self._passcodes.all(owner)]
            return Reply({"result": rows, "resultCount": len(rows)})
        if call.method == "POST" and id_ is None and call.action in (None, "create"):
            body = await call.json_object()
            usual = passcodes.DEFAULT_LIFETIME
            lifetime = passcodes.checked_lifetime(body.get("lifetime", usual))
            made, code = await self._passcodes.create(owner, lifetime, now)
            told = {**_row_of(owner, made, now), "passcode": code.reveal()}
            return Reply(told, 201, SHOWN_ONCE)
        if call.method == "DELETE" and id_ is not None:
            if not await self._passcodes.withdraw(owner, id_.upper()):
                raise NotFound("this account has no such passcode")
            return Reply({"_id": id_.upper()})
        raise MethodNotAllowed(
            "use GET, POST with _action=create, or DELETE with an id",
            allow=["GET", "POST", "DELETE"],
        )


def _is_issuer(text: str) -> bool:
    return 0 < len(text) <= MAX_ISSUER_LENGTH and text.isprintable() and ":" not in text


def _row(factor: Factor, now: float) -> dict[str, Any]:
    owner = Owner(factor.realm, factor.account)
    if factor.kind == totp.KIND:
        return _authenticator(owner, totp.read(factor), now)
    return _row_of(owner, passcodes.read(factor), now)


def _authenticator(owner: Owner, found: Authenticator, now: float) -> dict[str, Any]:
    state = "confirmed" if found.confirmed else "pending"
    if not found.confirmed and now >= found.made_at + totp.PENDING_SECONDS:
        state = "expired"
    return {
        "_id": totp.KIND,
        "kind": totp.KIND,
        "account": owner.account,
        "state": state,
        "algorithm": found.manner.algorithm,
        "digits": found.manner.digits,
        "period": found.manner.period,
        "made": _iso(found.made_at),
    }


def _row_of(owner: Owner, passcode: Passcode, now: float) -> dict[str, Any]:
    state = "open" if passcode.presented_at is None else "used"
    return {
        "_id": passcode.id,
        "kind": passcodes.KIND,
        "account": owner.account,
        "state": state if now < passcode.expires_at else "expired",
        "made": _iso(passcode.made_at),
        "expires": _iso(passcode.expires_at),
    }


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

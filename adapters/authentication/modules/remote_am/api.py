"""The calls that an AM is asked by: authenticate, users, sessions.

What they answer is untrusted: each value is checked before it is used.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from adapters.authentication.modules.remote_am.client import Call, Client, down
from adapters.authentication.modules.remote_am.configuration import Configuration
from adapters.authentication.modules.subjects import is_name
from broker.errors import RealmMismatch
from broker.model import Secret, normal_realm

MAX_SESSION_LENGTH = 4096
MAX_VALUES = 100
MAX_VALUE_LENGTH = 4096
OTHER_REALM = "the session belongs to another realm of its server"

AUTHENTICATE = {
    "Content-Type": "application/json",
    "Accept-API-Version": "protocol=1.0, resource=2.0",
}
USERS = {"Content-Type": "application/json", "Accept-API-Version": "protocol=1.0"}
LOGOUT = {
    "Content-Type": "application/json",
    "Accept-API-Version": "protocol=1.0, resource=1.1",
}

# What can stand in a cookie as it is (RFC 6265, section 4.1.1), but for what would end or join one.
_SESSION = re.compile(r"[!#$%&'()*+./0-9:<=>?@A-Z\[\]^_`a-z{|}~-]+")


def is_session(text: str) -> bool:
    """Whether this can be the id of a session, and nothing else beside it in a header."""
    return len(text) <= MAX_SESSION_LENGTH and _SESSION.fullmatch(text) is not None


class Api:
    """One realm of one AM."""

    def __init__(self, configuration: Configuration, client: Client) -> None:
        self._client = client
        self._realm = configuration.remote_realm
        self._cookie = configuration.cookie_name
        self._index = configuration.auth_index
        self._attributes = configuration.attributes
        path = quote(self._realm.strip("/"))
        self._path = f"/json/{path}" if path else "/json"

    async def authenticate(
        self, head: Mapping[str, str] | None = None, body: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """A step of a login: credentials in the head, or answers to callbacks in the body."""
        query = ""
        if self._index is not None:
            kind, value = self._index
            query = "?" + urlencode({"authIndexType": kind, "authIndexValue": value})
        return await self._client.answer(
            Call(
                "POST",
                f"{self._path}/authenticate{query}",
                {**AUTHENTICATE, **(head or {})},
                body or {},
            )
        )

    async def principal(self, session: Secret) -> str:
        """Whose session that is. Raises RealmMismatch for one of another realm."""
        found = await self._client.answer(
            Call("POST", f"{self._path}/users/?_action=idFromSession", self._head(session), {})
        )
        name, realm = found.get("id"), found.get("realm")
        if not isinstance(name, str) or not _is_named(name) or not isinstance(realm, str):
            raise down("its answer names no principal")
        if normal_realm(realm).casefold() != self._realm.casefold():
            raise RealmMismatch(OTHER_REALM)
        return name

    async def profile(self, session: Secret, name: str) -> dict[str, tuple[str, ...]]:
        """The attributes that the module wants, by their names here."""
        if not self._attributes:
            return {}
        fields = urlencode({"_fields": ",".join(sorted(set(self._attributes.values())))})
        found = await self._client.answer(
            Call("GET", f"{self._path}/users/{quote(name, safe='')}?{fields}", self._head(session))
        )
        told = {mine: _texts(found.get(theirs)) for mine, theirs in self._attributes.items()}
        return {mine: values for mine, values in told.items() if values}

    async def log_out(self, session: Secret) -> None:
        await self._client.answer(
            Call(
                "POST",
                f"{self._path}/sessions/?_action=logout",
                {**LOGOUT, **self._named(session)},
                {},
            )
        )

    def _head(self, session: Secret) -> dict[str, str]:
        return {**USERS, **self._named(session)}

    def _named(self, session: Secret) -> dict[str, str]:
        """The session by header and by cookie: AM reads either, by call and by version."""
        return {
            self._cookie: session.reveal(),
            "Cookie": f"{self._cookie}={session.reveal()}",
        }


def _is_named(text: str) -> bool:
    """Whether it can be somebody's name, and a step of a path that leads nowhere else."""
    return is_name(text) and text not in (".", "..")


def _texts(value: Any) -> tuple[str, ...]:
    """A text, or those of a list; anything else is no attribute."""
    listed = value if isinstance(value, list) else [value]
    found = (each for each in listed[:MAX_VALUES] if isinstance(each, str))
    return tuple(each for each in found if 0 < len(each) <= MAX_VALUE_LENGTH)

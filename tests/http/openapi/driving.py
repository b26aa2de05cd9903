"""A client of the broker that asks for what the document says, as the document says it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from adapters.http.openapi import examples, rows_instances
from tests.http.openapi.reading import Asked, Description
from tests.support import pki
from tests.support.door import HEADER, REALM, Answer, Door, session_input
from tests.support.totp import App

OTHER_REALMS = "/json/global-config"
REQUEST_ID = "order-4711"


class Client:
    """Fills in what exists only in a running broker: sessions, tokens, keys, ids."""

    def __init__(self, door: Door, description: Description) -> None:
        self.door = door
        self.description = description
        self._app: App | None = None
        self._admin: dict[str, str] = {}
        self._session = ""

    async def open(self) -> None:
        for realm in ("/", REALM):
            await self.door.add_user(examples.USER, realm, password=examples.PASSWORD)
        self._admin = await self.door.admin()
        self._session = await self._login()

    async def ask(self, asked: Asked, *, session: str | None = None) -> Answer:
        """``session`` is shown in the place of the one that the operation needs."""
        path = await self._path(asked, found=session is None)
        query, headers = self._parameters(asked)
        if asked.action is not None:
            query["_action"] = asked.action
        if asked.roles is not None:
            headers[HEADER] = await self._shown(asked) if session is None else session
        target = path + (f"?{urlencode(query)}" if query else "")
        body = await self._filled(asked, asked.body) if session is None else asked.body
        answer = await self.door.request(asked.method.upper(), target, body=body, headers=headers)
        if "uri" in (answer.body or {}):
            self._app = App(answer.body["uri"])
        return answer

    async def headed(self, asked: Asked) -> tuple[int, str, str]:
        """Status, media type and first line of an answer that is no JSON."""
        headers = {} if asked.roles is None else {HEADER: await self._shown(asked)}
        async with self.door.http.get(self.door.url + asked.path, headers=headers) as answer:
            first = (await answer.content.readline()).decode()
            return answer.status, answer.content_type, first

    async def _shown(self, asked: Asked) -> str:
        if asked.roles:
            return self._admin[HEADER]
        return await self._login() if "/sessions" in asked.path else self._session

    def _parameters(self, asked: Asked) -> tuple[dict[str, str], dict[str, str]]:
        """Those that are needed, and with no body in hand those that have an example."""
        found: dict[str, dict[str, str]] = {"query": {}, "header": {}}
        for each in self.description.parameters(asked.path, asked.operation):
            wanted = each.get("required") or ("example" in each and asked.example is None)
            if wanted and each["name"] != "_action" and each["in"] in found:
                found[each["in"]][each["name"]] = each["example"]
        return found["query"], found["header"]

    async def _path(self, asked: Asked, *, found: bool) -> str:
        """With what is there, or with the document's examples."""
        path = asked.path
        for each in self.description.parameters(asked.path, asked.operation):
            if each["in"] == "path":
                value = each["example"]
                if found or each["name"] == "realm":
                    value = await self._value(each["name"], value, asked)
                path = path.replace(f"{{{each['name']}}}", quote(value, safe=""))
        return path

    async def _value(self, name: str, example: str, asked: Asked) -> str:
        below = asked.path.partition("{" + name + "}")[0].rstrip("/")
        if name == "realm":
            return REALM.strip("/")
        if name == "instance" and asked.path.startswith("/sts-publish"):
            return rows_instances.ELEMENT
        if name == "realmId" and below.startswith(OTHER_REALMS):
            return str((await self._rows(below))[-1]["_id"])
        finders: Mapping[str, Callable[[], Awaitable[str]]] = {
            "token": self._token_id,
            "tokenId": self._login,
            "requestId": self._request_id,
        }
        if name in finders:
            return await finders[name]()
        if name == "kid":
            return await self._kid(below, "active")
        if name == "passcode":
            [row] = await self._rows(below.replace("{realm}", quote(REALM[1:], safe="")))
            return str(row["_id"])
        return example

    async def _rows(self, path: str) -> list[Any]:
        path = path.replace("{user}", "bob")
        answer = await self.door.request("GET", path, headers=self._admin)
        assert answer.status == 200, answer.text
        rows: list[Any] = answer.body["result"]
        return rows

    async def _filled(self, asked: Asked, value: Any) -> Any:
        """The example with what the document cannot know."""
        if isinstance(value, Mapping):
            found = {name: await self._filled(asked, each) for name, each in value.items()}
            if asked.path.startswith(OTHER_REALMS):
                found["name"] = "zebras"  # the last of its list
            return found
        if isinstance(value, list):
            return [await self._filled(asked, each) for each in value]
        return await self._real(asked, value) if isinstance(value, str) else value

    async def _real(self, asked: Asked, value: str) -> str:
        inner = f"/{quote(REALM[1:], safe='')}" if "{realm}" in asked.path else ""
        if value == examples.SESSION:
            return await self._login()
        if value == examples.ID_TOKEN:
            return await self._token(examples.WANTS_ID_TOKEN)
        if value == examples.ASSERTION:
            return await self._token(examples.WANTS_ASSERTION)
        if value == examples.AUTH_ID:
            begun = await self.door.request("POST", f"/json{inner}/authenticate")
            assert self.description.mismatches(_CALLBACKS, begun.body) == []
            return str(begun.body["authId"])
        if value == examples.CERTIFICATE:
            return pki.root().pem
        if value == examples.KEY:
            return _new_key()
        if value == examples.KID:
            return await self._kid(f"/json{inner}/keys", "next")
        if value == examples.CODE:
            assert self._app is not None
            return self._app.code(time.time())
        return value

    async def _login(self) -> str:
        return await self.door.login(examples.USER, examples.PASSWORD)

    async def _token(self, wanted: Mapping[str, Any]) -> str:
        answer = await self.door.translate(examples.BY_PASSWORD, wanted)
        assert answer.status == 200, answer.text
        return str(answer.body["issued_token"])

    async def _token_id(self) -> str:
        await self._token(examples.WANTS_ID_TOKEN)
        return (await self.door.tokens())[0].alias

    async def _request_id(self) -> str:
        answer = await self.door.translate(
            session_input(self._session),
            examples.WANTS_ID_TOKEN,
            headers={"Idempotency-Key": REQUEST_ID},
        )
        assert answer.status == 200, answer.text
        return REQUEST_ID

    async def _kid(self, keys: str, state: str) -> str:
        rows = await self._rows(keys.replace("{realm}", quote(REALM[1:], safe="")))
        return next(str(row["kid"]) for row in rows if row["state"] == state)


_CALLBACKS = {"$ref": "#/components/schemas/callbacks"}


def _new_key() -> str:
    return (
        ec.generate_private_key(ec.SECP256R1())
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        .decode()
    )

"""A plain client for brokers in other processes: one connection, kept for as long as it lives."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from adapters.instances import forgerock
from broker.instance import Instance
from tests.support.door import ELEMENT, HEADER, ID_TOKEN, Answer, an_instance
from tests.support.planted import ADMIN_PASSWORD, USER_PASSWORD, Planted

TIMEOUT_SECONDS = 30


class Caller:
    """Speaks to ``url`` and notes the secrets that come back in ``planted``."""

    def __init__(self, url: str, planted: Planted, *, cafile: Path | None = None) -> None:
        place = urlsplit(url)
        self._connection: http.client.HTTPConnection
        if place.scheme == "https":
            self._connection = http.client.HTTPSConnection(
                place.netloc,
                timeout=TIMEOUT_SECONDS,
                context=ssl.create_default_context(cafile=cafile),
            )
        else:
            self._connection = http.client.HTTPConnection(place.netloc, timeout=TIMEOUT_SECONDS)
        self._planted = planted
        self.sent = 0

    def __enter__(self) -> Caller:
        self._connection.connect()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connection.close()

    @property
    def local_port(self) -> int:
        """Our end of the connection."""
        port: int = self._connection.sock.getsockname()[1]
        return port

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        head = {"Content-Type": "application/json", **(headers or {})}
        data = None if body is None else json.dumps(body).encode()
        self._connection.request(method, path, data, head)
        self.sent += 1
        response = self._connection.getresponse()
        text = response.read().decode()
        answer = Answer(response.status, json.loads(text), dict(response.headers), text)
        for member in ("issued_token", "tokenId"):
            if isinstance(answer.body, dict) and member in answer.body:
                self._planted.note(answer.body[member])
        return answer

    def translate(
        self,
        given: Mapping[str, Any],
        wanted: Mapping[str, Any] = ID_TOKEN,
        *,
        instance: str = ELEMENT,
        key: str | None = None,
    ) -> Answer:
        body = {"input_token_state": given, "output_token_state": wanted}
        head = {"Idempotency-Key": key} if key else {}
        return self.request("POST", f"/rest-sts/{instance}?_action=translate", body, head)

    def valid(self, id_token: str, *, instance: str = ELEMENT) -> bool:
        body = {"validated_token_state": _presented(id_token)}
        answer = self.request("POST", f"/rest-sts/{instance}?_action=validate", body)
        assert answer.status == 200, answer.text
        return bool(answer.body["token_valid"])

    def cancel(self, id_token: str, *, instance: str = ELEMENT) -> None:
        body = {"cancelled_token_state": _presented(id_token)}
        answer = self.request("POST", f"/rest-sts/{instance}?_action=cancel", body)
        assert answer.status == 200, answer.text

    def login(self, name: str = "demo", password: str = USER_PASSWORD) -> str:
        head = {"X-OpenAM-Username": name, "X-OpenAM-Password": password}
        answer = self.request("POST", "/json/authenticate", headers=head)
        assert answer.status == 200, answer.text
        return str(answer.body["tokenId"])

    def admin(self) -> dict[str, str]:
        """The head of an administrator's request."""
        return {HEADER: self.login("admin", ADMIN_PASSWORD)}

    def session_valid(self, session: str) -> bool:
        answer = self.request("POST", "/json/sessions?_action=validate", {"tokenId": session})
        return bool(answer.body["valid"])

    def publish(self, admin: Mapping[str, str], instance: Instance) -> None:
        state = forgerock.encode(instance)
        body = {"invocation_context": "invocation_context_client_sdk", "instance_state": state}
        answer = self.request("POST", "/sts-publish/rest?_action=create", body, admin)
        assert answer.status == 201, answer.text

    def unpublish(self, admin: Mapping[str, str], element: str) -> None:
        answer = self.request("DELETE", f"/sts-publish/rest/{element}", headers=admin)
        assert answer.status == 200, answer.text

    def add_user(self, admin: Mapping[str, str], name: str = "demo") -> None:
        body = {
            "username": name,
            "password": USER_PASSWORD,
            "attributes": {"mail": "demo@example.com"},
        }
        answer = self.request("POST", "/json/users?_action=create", body, admin)
        assert answer.status == 201, answer.text

    def issued(self, admin: Mapping[str, str], element: str = ELEMENT) -> list[dict[str, Any]]:
        """The records of an instance's tokens."""
        query = f'/sts-tokengen?_queryFilter=/sts_id%20eq%20"{element}"'
        answer = self.request("GET", query, headers=admin)
        assert answer.status == 200, answer.text
        found: list[dict[str, Any]] = answer.body["result"]
        return found


def set_up(url: str, planted: Planted, *, cafile: Path | None = None) -> str:
    """The user ``demo``, an instance, and a session of the user's."""
    with Caller(url, planted, cafile=cafile) as caller:
        admin = caller.admin()
        caller.add_user(admin)
        caller.publish(admin, an_instance(oidc="ES256"))
        return caller.login()


def _presented(id_token: str) -> dict[str, str]:
    return {"token_type": "OPENIDCONNECT", "oidc_id_token": id_token}

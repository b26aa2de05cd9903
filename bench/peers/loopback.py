"""Setting a peer up over HTTP: one request at a time, to 127.0.0.1 alone."""

from __future__ import annotations

import json
import time
from base64 import b64encode
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlencode

from bench.peers import PeerFailed
from bench.peers.commands import Server

HOST = "127.0.0.1"
ANSWER_SECONDS = 60.0
START_SECONDS = 600.0
PAUSE_SECONDS = 0.1
FORM = "application/x-www-form-urlencoded"
SHOWN = 300


def basic(name: str, secret: str) -> str:
    """The value of an Authorization header (RFC 7617, RFC 6749 section 2.3.1)."""
    return "Basic " + b64encode(f"{name}:{secret}".encode()).decode()


class Loopback:
    """The HTTP server on a port of 127.0.0.1."""

    def __init__(self, port: int) -> None:
        self.url = f"http://{HOST}:{port}"
        self._port = port

    def ready(self, path: str, server: Server) -> None:
        """Wait until a GET of ``path`` gives 200; raises PeerFailed."""
        until = time.monotonic() + START_SECONDS
        while True:
            try:
                status, _ = self._sent("GET", path, None, {})
            except (OSError, HTTPException):
                status = 0
            if status == 200:
                return
            server.check_alive()
            if time.monotonic() > until:
                raise PeerFailed(f"the server did not get ready within {START_SECONDS:.0f} s")
            time.sleep(PAUSE_SECONDS)

    def get(self, path: str) -> Any:
        """The JSON document there; raises PeerFailed."""
        return self._asked("GET", path, None, {})

    def post_form(self, path: str, form: Mapping[str, str], head: Mapping[str, str]) -> Any:
        """The JSON answer to a form; raises PeerFailed."""
        return self._asked("POST", path, urlencode(form), {"Content-Type": FORM, **head})

    def post_json(self, path: str, document: object, head: Mapping[str, str]) -> Any:
        """The JSON answer to a document, None if it is empty; raises PeerFailed."""
        head = {"Content-Type": "application/json", **head}
        return self._asked("POST", path, json.dumps(document), head)

    def _asked(self, method: str, path: str, body: str | None, head: Mapping[str, str]) -> Any:
        try:
            status, answer = self._sent(method, path, body, head)
            if status in (200, 201, 204):
                return json.loads(answer) if answer else None
        except (OSError, HTTPException, ValueError) as error:
            raise PeerFailed(f"{method} {path} failed: {error}") from None
        raise PeerFailed(f"{method} {path} gave {status}: {answer[:SHOWN]!r}")

    def _sent(
        self, method: str, path: str, body: str | None, head: Mapping[str, str]
    ) -> tuple[int, bytes]:
        connection = HTTPConnection(HOST, self._port, timeout=ANSWER_SECONDS)
        try:
            connection.request(method, path, body, dict(head))
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

"""A stand-in for AM: answers as it is told, and keeps what it was asked."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Answering = Callable[[str, Any], tuple[int, Any]]
"""From an action and the body to status and body."""


@dataclass
class StubAm:
    """``url`` is its context; ``asked`` has the path, action and body of each request."""

    url: str
    asked: list[tuple[str, str, Any]] = field(default_factory=list)


@contextlib.contextmanager
def stub_am(answering: Answering) -> Iterator[StubAm]:
    stub = StubAm("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            place = urlsplit(self.path)
            action = parse_qs(place.query)["_action"][0]
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            stub.asked.append((place.path, action, body))
            status, answer = answering(action, body)
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json;charset=UTF-8")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        stub.url = f"http://127.0.0.1:{server.server_port}/openam"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield stub
        finally:
            server.shutdown()
            thread.join()

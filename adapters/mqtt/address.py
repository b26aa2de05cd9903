"""Where the message server is, and how to log in."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from broker.model import Secret

PORT = 1883
TLS_PORT = 8883  # both as IANA has them


@dataclass(frozen=True, slots=True)
class MqttAddress:
    """A message server. ``tls`` is None for a connection in the clear."""

    host: str
    port: int
    user: str | None
    password: Secret | None
    tls: ssl.SSLContext | None

    @property
    def server(self) -> str:
        """Host and port, without the login."""
        return f"{self.host}:{self.port}"


def address(url: Secret, ca_file: Path | None = None) -> MqttAddress:
    """Read ``mqtt://user:password@host:port`` or ``mqtts://…``.

    ``ca_file`` is PEM of who certified the server; None means whom the system trusts. Raises
    OSError (ssl.SSLError is one) if it cannot be read, ValueError for a port that is none.
    """
    parts = urlsplit(url.reveal())
    secure = parts.scheme == "mqtts"
    return MqttAddress(
        host=parts.hostname or "localhost",
        port=parts.port or (TLS_PORT if secure else PORT),
        user=None if parts.username is None else unquote(parts.username),
        password=None if parts.password is None else Secret(unquote(parts.password)),
        tls=_tls(ca_file) if secure else None,
    )


class _TidySocket(ssl.SSLSocket):
    """Closed if its handshake fails: the client library forgets it then."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except BaseException:
            self.close()
            raise


def _tls(ca_file: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca_file)
    context.sslsocket_class = _TidySocket
    return context

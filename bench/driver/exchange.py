"""Where requests by message go, and what all of them say."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from bench.driver.answers import Judge, all_good
from bench.parts import part_judge, plain, sealed

SCHEMES: Mapping[str, tuple[str, int]] = {
    "amqp": ("amqp", 5672),
    "amqps": ("amqp", 5671),
    "mqtt": ("mqtt", 1883),
    "mqtts": ("mqtt", 8883),
}
"""The transport of each scheme, and its port as IANA has it."""
READABLE, ENCRYPTED = "application/json", "application/jose"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One message server and one instance behind it."""

    transport: str
    url: str
    """With the user's name and without the password."""
    instance: str
    password: str = field(default="", repr=False)
    batch: int = 1
    """Requests in each message."""
    encrypted: bool = False
    """The pool holds pairs of ``bench.parts``."""
    reply_key: Mapping[str, Any] | None = field(default=None, repr=False)
    """The private JWK that answers are encrypted to."""
    timeout: float = 10.0
    """Seconds after which a request says that it is not to be worked on."""
    ca_file: str | None = None

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        found, _ = SCHEMES.get(parts.scheme, ("", 0))
        if found != self.transport or not parts.hostname:
            name = self.transport
            raise ValueError(f"the URL must begin with {name}:// or {name}s:// and name a host")
        if parts.password is not None:
            raise ValueError("write no password into the URL, only the user's name")
        if not parts.username:
            raise ValueError(f"the URL must name the user: {self.transport}://USER@HOST")
        if self.transport == "mqtt" and set("/+#\0") & set(self.user):
            raise ValueError("a user of MQTT has no /, + or # in the name")
        if not 0 <= self.port < 2**16:  # raises ValueError for one that is no number
            raise ValueError("the URL has a port that is none")
        if not self.instance.strip("/"):
            raise ValueError("name the instance, such as customers/bench")

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        parts = urlsplit(self.url)
        return parts.port or SCHEMES[parts.scheme][1]

    @property
    def user(self) -> str:
        return unquote(urlsplit(self.url).username or "")

    @property
    def place(self) -> str:
        """The path of the URL; AMQP's virtual host."""
        return unquote(urlsplit(self.url).path[1:])

    @property
    def type(self) -> str:
        """As AMQP's property ``type``."""
        return "translate" if self.batch == 1 else "translate.batch"

    @property
    def content_type(self) -> str:
        return ENCRYPTED if self.encrypted else READABLE

    def tls(self) -> ssl.SSLContext | None:
        """None for a connection in the clear. Raises OSError."""
        if not urlsplit(self.url).scheme.endswith("s"):
            return None
        return ssl.create_default_context(cafile=self.ca_file)

    def judge(self) -> Judge:
        """What an answer's status does not say: whether each part of a batch succeeded."""
        return all_good if self.batch == 1 else part_judge(self.batch, self.reply_key)

    def sent(self, body: bytes) -> bytes:
        """Of a body of the pool what goes into the message."""
        return sealed(body) if self.encrypted else body

    def readable(self, body: bytes) -> bytes:
        """Of a body of the pool what it says."""
        return plain(body) if self.encrypted else body

    def options(self) -> dict[str, Any]:
        """For :func:`bench.driver.sender.made`."""
        return asdict(self)

    @classmethod
    def read(cls, options: Mapping[str, Any]) -> Exchange:
        """What :meth:`options` gave. Raises ValueError."""
        return cls(**options)

    @classmethod
    def with_ca(cls, ca: Path | None, **given: Any) -> Exchange:
        """Raises ValueError."""
        return cls(ca_file=str(ca) if ca else None, **given)

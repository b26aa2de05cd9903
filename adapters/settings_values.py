"""What single settings may be: each function returns the value, or raises ValueError."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path

from pydantic import SecretStr

from broker.model import normal_realm

AUTO = "auto"
INLINE = "inline"
"""What the threads for signatures may be besides a number."""

MAX_SIGNING_THREADS = 64
MAX_PORT = 65535

TAKEN_HEADERS = frozenset(
    {"host", "cookie", "origin", "connection", "content-type", "content-length"}
)
RESERVED_REALMS = frozenset(
    # What stands beside a realm in /json, and in the topics of message servers.
    {"authenticate", "keys", "realms", "serverinfo", "sessions", "users"}
    | {"authentication", "certificate-authorities", "trusted-issuers"}
    | {"dead", "events", "reply", "root"}
)


def network(text: str) -> str:
    ipaddress.ip_network(text, strict=False)
    return text


def context_path(text: str) -> str:
    if not re.fullmatch(r"/[A-Za-z0-9._~-]+", text):
        raise ValueError("write one path segment with a slash before it, such as /openam")
    return text


def header_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]+", text) or text.lower() in TAKEN_HEADERS:
        raise ValueError("use letters, digits, - and _, and no header that HTTP knows")
    return text


def realm(text: str) -> str:
    realm = normal_realm(text)
    if set(realm.lower().split("/")) & RESERVED_REALMS:
        raise ValueError(f"the names {', '.join(sorted(RESERVED_REALMS))} are taken")
    return realm


def signing_threads(wanted: str | int) -> str | int:
    """``auto``, ``inline``, or a number, which a variable holds as text."""
    if wanted in (AUTO, INLINE):
        return wanted
    number = int(wanted) if str(wanted).isdecimal() else 0
    if not 1 <= number <= MAX_SIGNING_THREADS:
        raise ValueError(f"write {AUTO}, {INLINE}, or a number from 1 to {MAX_SIGNING_THREADS}")
    return number


def folder(path: Path) -> Path:
    if path == Path():
        raise ValueError("name a folder")
    return path


def amqp_url(url: SecretStr | None) -> SecretStr | None:
    if url is not None and not url.get_secret_value():
        return None
    if url is not None and not re.match(r"amqps?://[^/]", url.get_secret_value()):
        raise ValueError("write amqp://user:password@host/ or amqps://…")
    return url


def mqtt_url(url: SecretStr | None) -> SecretStr | None:
    if url is not None and not url.get_secret_value():
        return None
    if url is not None and not re.match(r"mqtts?://[^/]", url.get_secret_value()):
        raise ValueError("write mqtt://user:password@host or mqtts://…")
    return url


def is_loopback(host: str) -> bool:
    """Whether a host can only be this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

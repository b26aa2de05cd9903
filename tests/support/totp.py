"""Codes of an authenticator app, worked out from RFC 6238 and RFC 4226 alone."""

from __future__ import annotations

import base64
import hmac
from urllib.parse import parse_qs, unquote, urlsplit


def code(
    secret: bytes, now: float, *, algorithm: str = "SHA1", digits: int = 6, period: int = 30
) -> str:
    """RFC 4226 section 5.3 over the time step of ``now``."""
    step = int(now // period).to_bytes(8, "big")
    digest = hmac.digest(secret, step, algorithm.lower())
    offset = digest[-1] & 0x0F
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return str(number % 10**digits).zfill(digits)


class App:
    """An authenticator app that has read the QR code of an ``otpauth`` URI."""

    def __init__(self, uri: str) -> None:
        parts = urlsplit(uri)
        assert (parts.scheme, parts.netloc) == ("otpauth", "totp")
        told = {name: values[0] for name, values in parse_qs(parts.query).items()}
        key = told["secret"]
        self.secret = base64.b32decode(key + "=" * (-len(key) % 8))
        self.label = unquote(parts.path.removeprefix("/"))
        self.issuer = told["issuer"]
        self.algorithm = told.get("algorithm", "SHA1")
        self.digits = int(told.get("digits", "6"))
        self.period = int(told.get("period", "30"))

    def code(self, now: float) -> str:
        return code(
            self.secret, now, algorithm=self.algorithm, digits=self.digits, period=self.period
        )

"""A certificate as documents write it: its DER in base64 (RFC 4648, section 4)."""

from __future__ import annotations

import base64


def written_certificate(der: bytes) -> str:
    return base64.b64encode(der).decode()

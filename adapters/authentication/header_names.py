"""Names of HTTP headers, as servers tell them apart, or do not."""

from __future__ import annotations

import re

MAX_LENGTH = 64

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^`|~-]+")


def folded(name: str) -> str:
    """CGI and its heirs tell neither letter case nor hyphens from underscores (RFC 3875, section
    4.1.18)."""
    return name.lower().replace("_", "-")


def is_header(name: str) -> bool:
    """A token (RFC 9110, section 5.6.2) without underscores, which proxies drop or fold."""
    return len(name) <= MAX_LENGTH and _NAME.fullmatch(name) is not None

"""Reading members of a token state, the same way for every token type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from broker.errors import InvalidRequest


def text_member(
    state: Mapping[str, Any], name: str, max_length: int, *, may_be_empty: bool = False
) -> str:
    """The string member ``name``, at most ``max_length`` characters of real Unicode.

    Raises InvalidRequest, which names the member and never shows what the state holds.
    """
    value = state.get(name)
    if not isinstance(value, str) or not (value or may_be_empty):
        raise InvalidRequest(f"the token state needs a string {name}")
    if len(value) > max_length:
        raise InvalidRequest(f"{name} is longer than {max_length} characters")
    if not is_unicode(value):
        raise InvalidRequest(f"{name} holds half of a surrogate pair, which is no character")
    return value


def is_unicode(value: str) -> bool:
    """False for a string with a lone surrogate: JSON can write one, UTF-8 cannot."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True

"""What another server says of a login, in words that may stand in the audit."""

from __future__ import annotations

import html
from collections.abc import Iterable

from adapters.printable import printable

ECHO = "its words repeat what was sent"


def told(words: str, most: int, sent: Iterable[str]) -> str:
    """One printable line of up to ``most`` characters; ECHO where a part of it is what was sent.

    Some servers repeat a wrong password, escaped for HTML perhaps. Nothing is kept then: a gap in
    the words would say where it stood.
    """
    heard = (words.casefold(), html.unescape(words).casefold())
    if any(each and each.casefold() in text for each in sent for text in heard):
        return ECHO
    return printable(words)[:most].strip()

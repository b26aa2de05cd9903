"""Encoded words (RFC 2047), in which AM's clients write headers that are not plain ASCII."""

from __future__ import annotations

import base64
import binascii
import re
from email import quoprimime

_WORD = r"=\?utf-8\?[bq]\?[!->@-~]*\?="
_WORDS = re.compile(rf"{_WORD}(?:\s+{_WORD})*", re.IGNORECASE)


def decoded(text: str) -> str:
    """``text`` with its meaning, if it consists of encoded words in UTF-8 and nothing else.

    White space between words is none of the text (section 6.2). Whatever is not to be decoded is
    meant as it stands: a password may look like anything.
    """
    if not _WORDS.fullmatch(text):
        return text
    try:
        return b"".join(_bytes(word) for word in text.split()).decode()
    except ValueError:
        return text


def _bytes(word: str) -> bytes:
    """Raises ValueError. A word may end in the middle of a letter, which RFC 2047 forbids and
    some libraries do."""
    _, _, encoding, content, _ = word.split("?")
    if encoding in "qQ":
        return quoprimime.header_decode(content).encode("latin-1")
    try:
        return base64.b64decode(content, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None

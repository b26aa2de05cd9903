"""Text as canonical XML writes it (Canonical XML 1.0, section 2.3)."""

from __future__ import annotations

import re
from base64 import b64encode

from broker.errors import InvalidRequest

# XML 1.0, production 2: what is no Char cannot be written, not even as a reference.
_NO_CHARACTER = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_TEXT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#xD;"})
_ATTRIBUTE = str.maketrans(
    {
        "&": "&amp;",
        "<": "&lt;",
        '"': "&quot;",
        "\t": "&#x9;",
        "\n": "&#xA;",
        "\r": "&#xD;",
    }
)


def text(value: str, what: str) -> str:
    """Content of an element. Raises InvalidRequest, naming ``what`` it is that XML cannot hold."""
    return _checked(value, what).translate(_TEXT)


def attribute(value: str, what: str) -> str:
    """Value of an attribute, without its quotes. Raises InvalidRequest like ``text``."""
    return _checked(value, what).translate(_ATTRIBUTE)


def base64(data: bytes) -> str:
    """Octets as the text of an element, in one line."""
    return b64encode(data).decode()


def _checked(value: str, what: str) -> str:
    if _NO_CHARACTER.search(value):
        raise InvalidRequest(f"{what} holds a character that XML 1.0 cannot write")
    return value

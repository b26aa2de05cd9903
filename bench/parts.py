"""What a message holds beyond one plain request: several at once, or one that is encrypted.

An encrypted request is kept in the pool with its plain text before it, so that its answer can be
judged by what was asked.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

_LENGTH = struct.Struct(">I")
TOKEN = b'"issued_token"'
PART = "part refused"
UNREADABLE = "unreadable answer"
WANTED = ["ECDH-ES", "A256GCM"]


def paired(plain: bytes, sealed: bytes) -> bytes:
    """Both as one body of the pool."""
    return _LENGTH.pack(len(plain)) + plain + sealed


def plain(pair: bytes) -> bytes:
    """What the request says."""
    return pair[_LENGTH.size : _LENGTH.size + _LENGTH.unpack_from(pair)[0]]


def sealed(pair: bytes) -> bytes:
    """What is sent."""
    return pair[_LENGTH.size + _LENGTH.unpack_from(pair)[0] :]


def opened(answer: bytes, key: ECKey) -> bytes:
    """An encrypted answer, decrypted; raises ValueError for one that cannot be."""
    try:
        return jwe.decrypt_compact(answer, key, WANTED).plaintext or b""
    except (JoseError, ValueError) as error:
        raise ValueError("an answer cannot be decrypted with the key that went with it") from error


def part_judge(size: int, reply_key: Mapping[str, Any] | None) -> Callable[[bytes], str]:
    """Of the body of a batch's answer: the kind of its failure, empty if every part has a token."""
    key = ECKey.import_key(dict(reply_key)) if reply_key else None

    def judged(answer: bytes) -> str:
        try:
            readable = opened(answer, key) if key else answer
        except ValueError:
            return UNREADABLE
        return "" if readable.count(TOKEN) == size else PART

    return judged

"""Compact JWS (RFC 7515, section 7.1), taken apart strictly before any key sees it.

What a library would ignore, guess or fetch is refused or never looked at: ``crit``, members written
twice, base64url in another spelling than its one. Keys in a header (``jwk``, ``jku``, ``x5u``,
``x5c``) are the sender's word for itself and mean nothing here.
"""

from __future__ import annotations

import json
from binascii import a2b_base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import orjson

MAX_HEADER_LENGTH = 16 * 1024
MAX_KEPT_HEADER_LENGTH = 1024
MAX_KEPT_HEADERS = 1024
MAX_KID_LENGTH = 255

REFUSED_MEMBERS = frozenset({"crit", "b64", "zip", "enc", "cty"})
"""What would change how the rest is read (RFC 7515, 4.1.10 and 4.1.11; RFC 7516; RFC 7797)."""

TYPES = frozenset({None, "jwt", "application/jwt"})
"""What ``typ`` may say: tokens of other kinds name theirs (RFC 8725, section 3.11)."""

# From base64url to base64; "+", "/" and "=" have no place in it and become what nothing allows.
_TABLE = bytes.maketrans(b"-_+/=", b"+/***")
_LAST_OF_TWO = frozenset(b"AQgw")
_LAST_OF_THREE = frozenset(b"AEIMQUYcgkosw048")


class Malformed(ValueError):
    """It is no JWS that is read here; the text says why, and holds nothing of it."""


@dataclass(frozen=True, slots=True)
class Header:
    """The algorithm that the token claims, and the name of the key."""

    algorithm: str
    kid: str | None


@dataclass(frozen=True, slots=True)
class Jws:
    """A JWS whose signature nobody has checked yet."""

    header: Header
    unverified: Mapping[str, Any] = field(repr=False)
    signing_input: bytes = field(repr=False)
    signature: bytes = field(repr=False)


def read(token: bytes) -> Jws:
    """The parts of a token. Raises Malformed."""
    parts = token.split(b".")
    if len(parts) != 3:
        raise Malformed("it has not three parts")
    first, second, third = parts
    if len(first) > MAX_HEADER_LENGTH:
        raise Malformed("its header is too long")
    # Tokens of one key have one header: most are read once.
    kept = len(first) <= MAX_KEPT_HEADER_LENGTH
    header = _kept_header(first) if kept else _header(first)
    return Jws(
        header=header,
        unverified=_object(unpadded(second)),
        signing_input=token[: len(first) + 1 + len(second)],
        signature=unpadded(third),
    )


def unpadded(segment: bytes) -> bytes:
    """Base64url without padding, in its one spelling (RFC 7515, section 2). Raises Malformed."""
    over = len(segment) & 3
    try:
        if over == 0:
            return a2b_base64(segment.translate(_TABLE), strict_mode=True)
        if over == 2 and segment[-1] in _LAST_OF_TWO:
            return a2b_base64(segment.translate(_TABLE) + b"==", strict_mode=True)
        if over == 3 and segment[-1] in _LAST_OF_THREE:
            return a2b_base64(segment.translate(_TABLE) + b"=", strict_mode=True)
    except ValueError:
        pass
    raise Malformed("a part is not base64url, or not in its one spelling")


def _header(segment: bytes) -> Header:
    found = _object(unpadded(segment))
    if not REFUSED_MEMBERS.isdisjoint(found):
        raise Malformed("its header has a member that is not read here")
    algorithm, kid, kind = found.get("alg"), found.get("kid"), found.get("typ")
    if not isinstance(algorithm, str):
        raise Malformed("its header names no alg")
    if kid is not None and (not isinstance(kid, str) or not 0 < len(kid) <= MAX_KID_LENGTH):
        raise Malformed("its kid is not the name of a key")
    if (kind.lower() if isinstance(kind, str) else kind) not in TYPES:
        raise Malformed("its typ is that of another kind of token")
    return Header(algorithm, kid)


_kept_header = lru_cache(maxsize=MAX_KEPT_HEADERS)(_header)


def _object(data: bytes) -> dict[str, Any]:
    """A JSON object in which no member stands twice (RFC 8725, section 2.4). Raises Malformed.

    What comes out of the fast parser as it went in had nothing twice; whatever is written in
    another way is read once more, slowly.
    """
    try:
        found = orjson.loads(data)
        if isinstance(found, dict):
            if orjson.dumps(found) != data:
                json.loads(data, object_pairs_hook=_once)
            return found
    except (ValueError, RecursionError, orjson.JSONEncodeError):
        pass  # the last: what can be read can be nested too deeply to be written
    raise Malformed("a part is no JSON object, or has a member twice")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member twice")
    return found

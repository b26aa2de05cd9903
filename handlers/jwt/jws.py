"""JWS compact serialisation (RFC 7515, section 3.1), written directly.

The first part depends on the key alone, so it is written once per key.
"""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import orjson

from broker.errors import CannotIssue
from broker.ports import Signer

MAX_PREPARED_HEADERS = 1024

_TABLE = bytes.maketrans(b"+/", b"-_")


async def signed(claims: Mapping[str, Any], signer: Signer, *, with_jwk: bool) -> bytes:
    """The token. Raises CannotIssue if a claim is no text that UTF-8 can write."""
    try:
        payload = orjson.dumps(claims)
    except orjson.JSONEncodeError:
        raise CannotIssue("a claim of this subject is not Unicode text") from None
    jwk = signer.public_jwk
    # A secret has no public name, so only asymmetric keys get a kid.
    kid = signer.kid if jwk is not None else None
    shown = tuple(jwk.items()) if with_jwk and jwk is not None else None
    data = _start(signer.algorithm, kid, shown) + _base64url(payload)
    return data + b"." + _base64url(await signer.sign(data))


@lru_cache(maxsize=MAX_PREPARED_HEADERS)
def _start(algorithm: str, kid: str | None, jwk: tuple[tuple[str, str], ...] | None) -> bytes:
    """The header, and the dot after it."""
    header: dict[str, Any] = {"typ": "JWT", "alg": algorithm}
    if kid is not None:
        header["kid"] = kid
    if jwk is not None:  # RFC 7515, section 4.1.3; its kid stands beside it already
        header["jwk"] = {name: value for name, value in jwk if name != "kid"} | {"alg": algorithm}
    return _base64url(orjson.dumps(header)) + b"."


def _base64url(data: bytes) -> bytes:
    """RFC 7515, section 2: without padding."""
    return b2a_base64(data, newline=False).translate(_TABLE, b"=")

"""The broker's public key for requests, from its JWK set (RFC 7517)."""

from __future__ import annotations

import asyncio
import json
import re
import time
import urllib.request
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from remint_client.errors import KeysUnavailable

FETCH_SECONDS = 10.0
DEFAULT_MAX_AGE_SECONDS = 300.0
MAX_SET_BYTES = 256 * 1024
MIN_RSA_BITS = 2048
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})

_ALGORITHMS = {"EC": "ECDH-ES", "RSA": "RSA-OAEP-256"}
_MAX_AGE = re.compile(r"\bmax-age=(\d{1,9})\b")


@dataclass(frozen=True, slots=True)
class EncryptionKey:
    """A key to encrypt to, by the name and the algorithm that go with it."""

    kid: str
    algorithm: str
    key: ECKey | RSAKey


class KeySource:
    """The broker's encryption key, from a JWK set that is given or fetched.

    A fetched set is kept for its ``max-age``. When it cannot be fetched anew the old one serves
    on, as the broker opens requests under a key for longer than it shows it.
    """

    def __init__(self, jwks: str | Mapping[str, Any]) -> None:
        self._url = jwks if isinstance(jwks, str) else None
        self._key = None if isinstance(jwks, str) else chosen(jwks)
        self._fresh_until = 0.0
        self._turn = asyncio.Lock()
        if self._url is not None:
            _check_address(self._url)

    async def current(self) -> EncryptionKey:
        """The key to use now. Raises KeysUnavailable."""
        async with self._turn:
            if self._url is not None and time.monotonic() >= self._fresh_until:
                await self._fetch(self._url)
            if self._key is None:
                raise KeysUnavailable("no key set was read yet")
            return self._key

    async def _fetch(self, url: str) -> None:
        try:
            document, max_age = await asyncio.to_thread(_fetched, url)
            self._key = chosen(document)
        except (OSError, ValueError, KeysUnavailable) as error:
            if self._key is None:
                raise KeysUnavailable(f"the key set at {url} cannot be used: {error}") from None
            max_age = FETCH_SECONDS
        self._fresh_until = time.monotonic() + max_age


def chosen(jwks: Mapping[str, Any]) -> EncryptionKey:
    """The first key of the set that requests may be encrypted to. Raises KeysUnavailable."""
    keys = jwks.get("keys")
    for jwk in keys if isinstance(keys, list) else []:
        if isinstance(jwk, dict) and (found := _usable(jwk)):
            return found
    raise KeysUnavailable('the key set has no key of use "enc" with a kid, P-256 or RSA')


def _usable(jwk: Mapping[str, Any]) -> EncryptionKey | None:
    kind, kid = jwk.get("kty"), jwk.get("kid")
    algorithm = _ALGORITHMS.get(str(kind))
    if jwk.get("use") != "enc" or not isinstance(kid, str) or algorithm is None:
        return None
    if jwk.get("alg", algorithm) != algorithm:
        return None
    try:
        if kind == "RSA":
            large_enough = _bits(jwk["n"]) >= MIN_RSA_BITS
            rsa = {name: jwk[name] for name in ("kty", "n", "e")}
            return EncryptionKey(kid, algorithm, RSAKey.import_key(rsa)) if large_enough else None
        if jwk.get("crv") != "P-256":
            return None
        ec = ECKey.import_key({name: jwk[name] for name in ("kty", "crv", "x", "y")})
        # The library reads a key when it is first used; a point off the curve is found here.
        return EncryptionKey(kid, algorithm, ec) if ec.raw_value.key_size else None
    except (JoseError, KeyError, TypeError, ValueError):
        return None


def _bits(modulus: str) -> int:
    """The length of a number in base64url without padding (RFC 7518, section 6.3.1.1)."""
    return int.from_bytes(urlsafe_b64decode(modulus + "=" * (-len(modulus) % 4))).bit_length()


def _fetched(url: str) -> tuple[Mapping[str, Any], float]:
    with urllib.request.urlopen(url, timeout=FETCH_SECONDS) as response:  # noqa: S310  # checked
        text = response.read(MAX_SET_BYTES + 1)
        control = response.headers.get("Cache-Control", "")
    if len(text) > MAX_SET_BYTES:
        raise ValueError(f"it is over {MAX_SET_BYTES} bytes")
    document = json.loads(text)
    if not isinstance(document, dict):
        raise ValueError("it is no JSON object")
    found = _MAX_AGE.search(control)
    return document, float(found[1]) if found else DEFAULT_MAX_AGE_SECONDS


def _check_address(url: str) -> None:
    """Whoever can change the key set on its way reads every request: TLS, or this machine."""
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK):
        return
    raise KeysUnavailable("fetch the key set over https; plain http is for loopback alone")

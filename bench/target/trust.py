"""The public keys that issued tokens are verified with: given, or found at the server."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import aiohttp
import jwt
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from bench.target import NotPrepared
from bench.target.asking import LOOKING_SECONDS, UNREACHABLE, answered, asking, members, waited
from bench.target.options import TargetOptions

METADATA = (".well-known/openid-configuration", ".well-known/oauth-authorization-server")
"""OpenID Connect Discovery 1.0, section 4, and RFC 8414, section 3."""
AM_JWKS = ("oauth2/jwks", "oauth2/connect/jwk_uri")
ALGORITHMS: Mapping[type, frozenset[str]] = {
    rsa.RSAPublicKey: frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}),
    ec.EllipticCurvePublicKey: frozenset({"ES256", "ES384", "ES512"}),
    ed25519.Ed25519PublicKey: frozenset({"EdDSA", "Ed25519"}),
}
"""RFC 7518, section 3.1 and RFC 8037: what a key of a kind may have signed."""

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey


class Trust:
    """Keys by ``kid``; a key without one, such as a certificate's, fits every token of its kind."""

    def __init__(
        self,
        named: Mapping[str, PublicKey],
        nameless: Iterable[PublicKey] = (),
        secret: str = "",
        again: Callable[[], Mapping[str, PublicKey]] | None = None,
    ) -> None:
        """``secret`` verifies HS256, HS384 and HS512. ``again`` reads the named keys anew."""
        self.named = dict(named)
        self.nameless = tuple(nameless)
        self.secret = secret
        self._again = again

    def __bool__(self) -> bool:
        return bool(self.named or self.nameless)

    def fitting(self, header: Mapping[str, Any]) -> list[PublicKey]:
        """The keys that a token with this JOSE header may be signed with.

        For an unknown ``kid`` the server is asked once more, and once only: keys rotate.
        """
        if self._again and header.get("kid") not in (None, *self.named):
            again, self._again = self._again, None
            self.named.update(again())
        kid = header.get("kid")
        if isinstance(kid, str) and kid in self.named:
            found = [self.named[kid]]
        elif kid is None or self.nameless:
            found = [*self.nameless, *(self.named.values() if kid is None else ())]
        else:
            found = []
        return [key for key in found if header.get("alg") in _algorithms(key)]

    def holds(self, key: Any) -> bool:
        """Whether this public key is one of them."""
        shown = _der(key)
        return any(_der(own) == shown for own in (*self.named.values(), *self.nameless))


def trust_from(options: TargetOptions, url: str) -> Trust:
    """What ``--jwks`` and ``--certificate`` name; without either, what the server at ``url``
    publishes, which may be nothing. Raises NotPrepared."""
    nameless = [public_key(options.certificate)] if options.certificate else []
    named: dict[str, PublicKey] = {}
    renewed: Callable[[], dict[str, PublicKey]] | None = None
    if options.jwks and "://" not in options.jwks:
        named = _from_file(Path(options.jwks))
    elif options.jwks or ("://" in url and not nameless):

        def again() -> dict[str, PublicKey]:
            asked = _from_url(options.jwks, options.ca) if options.jwks else _found(url, options.ca)
            return waited(asked)

        named = again()
        renewed = again if named else None
    return Trust(named, nameless, options.client_secret, renewed)


def keys_of(jwks: Mapping[str, Any]) -> dict[str, PublicKey]:
    """The signature keys of a JWK set: RFC 7517, section 5. Unknown kinds are left out."""
    found: dict[str, PublicKey] = {}
    listed = jwks.get("keys")
    for number, one in enumerate(listed if isinstance(listed, list) else ()):
        if not isinstance(one, dict) or one.get("use", "sig") != "sig":
            continue
        try:
            key = jwt.PyJWK(one).key
        except (jwt.PyJWTError, KeyError, TypeError, ValueError):
            continue  # PyJWT looks at some members before it knows that they are there
        if isinstance(key, PublicKey):
            found[str(one.get("kid", f"key {number} without kid"))] = key
    return found


def public_key(path: Path) -> PublicKey:
    """That of a PEM certificate, or a PEM public key. Raises NotPrepared."""
    try:
        data = path.read_bytes()
        if b"BEGIN CERTIFICATE" in data:
            key: Any = x509.load_pem_x509_certificate(data).public_key()
        else:
            key = serialization.load_pem_public_key(data)
    except OSError:
        raise NotPrepared(f"the file {path} cannot be read") from None
    except ValueError:
        raise NotPrepared(f"{path} holds neither a PEM certificate nor a public key") from None
    if not isinstance(key, PublicKey):
        raise NotPrepared(f"the key in {path} is not RSA, EC or Ed25519")
    return key


def _from_file(path: Path) -> dict[str, PublicKey]:
    try:
        found = keys_of(members(path.read_bytes()))
    except OSError:
        raise NotPrepared(f"the file {path} cannot be read") from None
    if not found:
        raise NotPrepared(f"{path} is no JWK set with a signature key")
    return found


async def _from_url(url: str, ca: Path | None) -> dict[str, PublicKey]:
    async with asking(ca) as http:
        found = await _jwks(http, url)
    if not found:
        raise NotPrepared(f"{_plain(url)} gave no JWK set with a signature key")
    return found


async def _found(url: str, ca: Path | None) -> dict[str, PublicKey]:
    """Beside the endpoint and above it, metadata before AM's own places."""
    async with asking(ca, LOOKING_SECONDS) as http:
        for folder in _folders(url):
            for name in METADATA:
                told = (await _object(http, folder + name)).get("jwks_uri")
                if isinstance(told, str) and (found := await _jwks(http, told)):
                    return found
        for folder in _folders(url):
            for name in AM_JWKS:
                if found := await _jwks(http, folder + name):
                    return found
    return {}


async def _jwks(http: aiohttp.ClientSession, url: str) -> dict[str, PublicKey]:
    return keys_of(await _object(http, url))


async def _object(http: aiohttp.ClientSession, url: str) -> dict[str, Any]:
    """Empty for anything but a 200 with a JSON object: looking is allowed to fail."""
    try:
        status, body = await answered(http, "GET", url)
    except (*UNREACHABLE, ValueError):
        return {}
    return members(body) if status == 200 else {}


def _folders(url: str) -> list[str]:
    """From the endpoint's folder up to the root, each with a slash at its end."""
    parts = urlsplit(url)
    names = [name for name in parts.path.split("/") if name]
    paths = ["/".join(["", *names[:depth], ""]) for depth in range(len(names), -1, -1)]
    return [urlunsplit((parts.scheme, parts.netloc, path or "/", "", "")) for path in paths]


def _plain(url: str) -> str:
    """Without user, password and query."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _algorithms(key: PublicKey) -> frozenset[str]:
    return next(names for kind, names in ALGORITHMS.items() if isinstance(key, kind))


def _der(key: Any) -> bytes:
    shown: bytes = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return shown

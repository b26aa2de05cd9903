"""Judges issued tokens, with libraries that the product does not use: PyJWT and signxml.

A complaint names the header and the claims there are, never the token or a value of a claim that
could be a secret.
"""

from __future__ import annotations

import binascii
import hashlib
import time
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from bench.target import WrongAnswer
from bench.target.asking import members
from bench.target.trust import PublicKey, Trust

LEEWAY_SECONDS = 60.0
"""How far the server's clock may be from ours."""
HMACS = ("HS256", "HS384", "HS512")
SHOWN = 60


@dataclass(frozen=True, slots=True)
class Expected:
    """What a request asked for; None for what it left open."""

    issuer: str | None = None
    audience: str | None = None
    subject: str | None = None
    nonce: str | None = None


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges the tokens of one run.

    ``since`` is when it began, in seconds since the epoch: no token of the run is older, and one of
    a long run may have expired by the time it is looked at.
    """

    trust: Trust
    since: float
    leeway: float = LEEWAY_SECONDS
    sha1: bool = False
    """Whether assertions may be signed with SHA-1, as AM does unless it is told otherwise."""

    def jwt(self, token: str, expected: Expected) -> str:
        """The ``jti`` of a compact JWS, or a digest of one without: RFC 7519, sections 4.1 and 7.2.

        Raises WrongAnswer.
        """
        header = unverified_header(token)
        claims = self._verified(token, header)
        complaint = self._complaint(claims, expected)
        if complaint:
            raise WrongAnswer(f"{complaint} ({_described(header, claims)})")
        jti = claims.get("jti")
        return jti if isinstance(jti, str) and jti else digest(token)

    def times(self, issued: float | None, expires: float | None) -> str | None:
        """What is wrong with these seconds since the epoch; None if nothing is."""
        if expires is None:
            return "the token never expires"
        if issued is not None and issued > time.time() + self.leeway:
            return "the token was issued in the future"
        if issued is not None and issued < self.since - self.leeway:
            return "the token was issued before the run began"
        if issued is not None and expires <= issued:
            return "the token expired before it was issued"
        if expires <= self.since - self.leeway:
            return "the token has expired"
        return None

    def _verified(self, token: str, header: Mapping[str, Any]) -> dict[str, Any]:
        """Claims whose signature holds. Times and names are judged apart, by our own words."""
        algorithm = header.get("alg")
        keys: list[PublicKey | str] = list(self.trust.fitting(header))
        if self.trust.secret and algorithm in HMACS:
            keys = [self.trust.secret]
        if not keys:
            if not self.trust:
                raise WrongAnswer(
                    "there is no key to verify a token with: name them by --jwks or --certificate"
                    f" ({_described(header)})"
                )
            raise WrongAnswer(f"no known key could have signed the token ({_described(header)})")
        for key in keys:
            claims = _signed_by(token, key, str(algorithm))
            if claims is not None:
                return claims
        raise WrongAnswer(f"the signature of a token does not hold ({_described(header)})")

    def _complaint(self, claims: Mapping[str, Any], expected: Expected) -> str | None:
        times = [_seconds(claims.get(name)) for name in ("iat", "exp", "nbf")]
        if any(claims.get(n) is not None and t is None for n, t in zip(_TIMES, times, strict=True)):
            return "a time of the token is no number"
        issued, expires, not_before = times
        if not_before is not None and not_before > time.time() + self.leeway:
            return "the token is not valid yet"
        return self.times(issued, expires) or _names(claims, expected)


_TIMES = ("iat", "exp", "nbf")


def _names(claims: Mapping[str, Any], expected: Expected) -> str | None:
    if expected.issuer is not None and claims.get("iss") != expected.issuer:
        return "the token names another issuer than expected"
    given = claims.get("aud")
    audiences = given if isinstance(given, list) else [given]
    if expected.audience is not None and expected.audience not in audiences:
        return "the token is for another audience than asked for"
    if expected.subject is not None and claims.get("sub") != expected.subject:
        return "the token names another subject than was shown, which --any-subject allows"
    if expected.nonce is not None and claims.get("nonce") != expected.nonce:
        return "the token carries another nonce than its request"
    return None


def _signed_by(token: str, key: PublicKey | str, algorithm: str) -> dict[str, Any] | None:
    options: Any = {
        f"verify_{name}": False for name in ("exp", "iat", "nbf", "aud", "iss", "sub", "jti")
    }
    try:
        return jwt.decode(token, key, algorithms=[algorithm], options=options)
    except jwt.PyJWTError:
        return None


def looks_like_jwt(token: str) -> bool:
    """Whether a token is meant to be read by others than its issuer: a compact JWS."""
    parts = token.split(".")
    return len(parts) == 3 and bool(_decoded(parts[0]).get("alg"))


def unverified_header(token: str) -> dict[str, Any]:
    """The JOSE header. Raises WrongAnswer for what is no compact JWS."""
    if not looks_like_jwt(token):
        raise WrongAnswer("the issued token is no signed JWT")
    return _decoded(token.split(".")[0])


def unverified_claims(token: str) -> dict[str, Any]:
    """The claims of a JWT, believed by nobody; empty for what is none."""
    return _decoded(token.split(".")[1]) if looks_like_jwt(token) else {}


def expired(token: str) -> bool:
    """Whether a JWT that was verified before has ended since."""
    expires = _seconds(unverified_claims(token).get("exp"))
    return expires is not None and expires <= time.time()


def digest(token: str) -> str:
    """Names a token that has no id of its own."""
    return "sha256:" + hashlib.sha256(token.encode()).hexdigest()


def _decoded(part: str) -> dict[str, Any]:
    try:
        return members(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (binascii.Error, ValueError):
        return {}


def _seconds(value: object) -> float | None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if number else None  # type: ignore[arg-type]  # just looked at


def _described(header: Mapping[str, Any], claims: Mapping[str, Any] | None = None) -> str:
    names = ", ".join(f"{name} {str(header.get(name))[:SHOWN]!r}" for name in ("alg", "kid"))
    return f"{names}; claims: {', '.join(sorted(claims))[:400]}" if claims is not None else names

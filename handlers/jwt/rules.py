"""What an ID token must say to count here (OpenID Connect Core 1.0, section 3.1.3.7).

Pure functions of claims whose signature holds. Times are seconds since the epoch; the issuer's
leeway makes up for clocks that differ.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeGuard

from broker.errors import InvalidToken
from broker.model import Login
from broker.trust import TrustedIssuer

MAX_SUBJECT_LENGTH = 255  # OpenID Connect Core 1.0, section 2
MAX_AUDIENCES = 100
MAX_CONTEXT_LENGTH = 255
MAX_METHODS = 20
MAX_TIME = 253_402_300_799  # the end of the year 9999

SET_CLAIM = "events"
"""What makes a JWT a security event or a logout token (RFC 8417), which is no ID token."""


def check(claims: Mapping[str, Any], rules: TrustedIssuer, now: float) -> None:
    """Raises InvalidToken with a sentence for the token's holder."""
    if SET_CLAIM in claims:
        raise InvalidToken("this is a security event token; send an ID token")
    _check_audience(claims, rules)
    _check_times(claims, rules.leeway_seconds, now)


def subject(claims: Mapping[str, Any], rules: TrustedIssuer) -> str:
    """Who the token speaks for, by the issuer's rule. Raises InvalidToken."""
    found = _subject(claims, "sub")
    if rules.subject_claim == "sub":
        return found
    if rules.subject_claim == "email" and claims.get("email_verified") is not True:
        # Whoever may type in an address would be whom they please.
        raise InvalidToken("the ID token's email is not verified (email_verified)")
    return _subject(claims, rules.subject_claim)


def not_after(claims: Mapping[str, Any], rules: TrustedIssuer, now: float) -> int:
    """What is left of the token bounds what is issued for it; leeway only where it lives on it."""
    ends = int(claims["exp"])
    return ends if ends > now else ends + rules.leeway_seconds


def login(claims: Mapping[str, Any]) -> Login:
    """What the token says of the login; what is not well formed says nothing."""
    at, context, methods = claims.get("auth_time"), claims.get("acr"), claims.get("amr")
    well = isinstance(methods, list) and len(methods) <= MAX_METHODS and all(map(_is_name, methods))
    return Login(
        at=int(at) if _is_time(at) else None,
        context=context if _is_name(context) else None,
        methods=tuple(methods) if well and isinstance(methods, list) else (),
    )


def _check_audience(claims: Mapping[str, Any], rules: TrustedIssuer) -> None:
    given = claims.get("aud")
    audiences = [given] if isinstance(given, str) else given
    if (
        not isinstance(audiences, list)
        or len(audiences) > MAX_AUDIENCES
        or not all(isinstance(each, str) for each in audiences)
        or rules.audiences.isdisjoint(audiences)
    ):
        raise InvalidToken("the ID token is for somebody else: its aud is none of those trusted")
    party = claims.get("azp")
    if party is None:
        if rules.authorized_parties or len(audiences) > 1:
            raise InvalidToken("the ID token needs an azp that says which party it was issued to")
    elif not isinstance(party, str) or party not in (rules.authorized_parties or rules.audiences):
        raise InvalidToken("the ID token was issued to another party: its azp is not trusted")


def _check_times(claims: Mapping[str, Any], leeway: int, now: float) -> None:
    ends, begins, issued = claims.get("exp"), claims.get("nbf"), claims.get("iat")
    begins = issued if begins is None else begins
    if not (_is_time(ends) and _is_time(issued) and _is_time(begins)):
        raise InvalidToken("the ID token needs numbers as exp and iat, and as nbf if it has one")
    if now >= ends + leeway:
        raise InvalidToken("the ID token has expired")
    if issued > now + leeway or begins > now + leeway:
        raise InvalidToken("the ID token is from the future: look at both clocks")


def _subject(claims: Mapping[str, Any], claim: str) -> str:
    found = claims.get(claim)
    if (
        not isinstance(found, str)
        or not 0 < len(found) <= MAX_SUBJECT_LENGTH
        or not found.isprintable()
    ):
        raise InvalidToken(
            f"the ID token needs a {claim} of 1 to {MAX_SUBJECT_LENGTH} printable characters"
        )
    return found


def _is_time(value: Any) -> TypeGuard[int | float]:
    """A NumericDate (RFC 7519, section 2)."""
    if type(value) is not int and type(value) is not float:  # a truth value is an int, too
        return False
    return math.isfinite(value) and 0 <= value <= MAX_TIME


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_CONTEXT_LENGTH and value.isprintable()

"""What an ID token says, in order."""

from __future__ import annotations

from typing import Any

from broker.instance import OidcOptions
from broker.ports import IssueOrder

#: Claims that a relying party takes decisions on (OpenID Connect Core 1.0, RFC 7519, RFC 7800,
#: RFC 8693, RFC 8417, OpenID Connect logout and self-issued tokens). A claim map cannot set them.
REGISTERED_CLAIMS = frozenset(
    {
        *("iss", "sub", "aud", "exp", "nbf", "iat", "jti"),
        *("azp", "nonce", "auth_time", "acr", "amr", "sid"),
        *("at_hash", "c_hash", "s_hash", "sub_jwk", "cnf", "act", "may_act", "events"),
    }
)


def id_token_claims(options: OidcOptions, order: IssueOrder, nonce: str | None) -> dict[str, Any]:
    """The payload: registered claims first, then those of the claim map that are not among them."""
    claim = order.claim
    claims: dict[str, Any] = {
        "iss": options.issuer,
        "sub": order.principal.name,
        "aud": options.audience[0] if len(options.audience) == 1 else list(options.audience),
    }
    if options.authorized_party:
        claims["azp"] = options.authorized_party
    if nonce:
        claims["nonce"] = nonce
    claims["iat"] = claim.issued_at
    claims["exp"] = order.expires_at
    claims.update(_login(order))
    claims["jti"] = claim.token_id
    for name, values in order.claims.values.items():
        if name not in REGISTERED_CLAIMS:
            claims[name] = _value(values, options.multi_valued_as_array)
    return claims


def _login(order: IssueOrder) -> dict[str, Any]:
    """What another issuer said of the login, no more than that; our own logins are of now."""
    login = order.principal.login
    if login is None:
        return {"auth_time": order.claim.issued_at}
    said: dict[str, Any] = {}
    if login.at is not None:
        said["auth_time"] = login.at
    if login.context is not None:
        said["acr"] = login.context
    if login.methods:
        said["amr"] = list(login.methods)
    return said


def _value(values: tuple[str, ...], as_array: bool) -> str | list[str]:
    """Several values are one string with blanks between, as in the reference, unless asked."""
    if as_array and len(values) > 1:
        return list(values)
    return " ".join(values)

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


EMPTY: tuple[str, ...] = ()


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
    _add_login(claims, options, order)
    claims["jti"] = claim.token_id
    for name, values in order.claims.values.items():
        if name not in REGISTERED_CLAIMS:
            claims[name] = _value(values, options.multi_valued_as_array)
    return claims


def _add_login(claims: dict[str, Any], options: OidcOptions, order: IssueOrder) -> None:
    """``auth_time``, ``acr`` and ``amr``: of a login here when it was and what the instance says
    of its kind; of a login elsewhere what its issuer said, where the instance says nothing. A
    plug-in has the last word on ``acr`` and ``amr``, and its empty one means none."""
    principal, mapped = order.principal, order.mapped
    context, methods = None, EMPTY
    if principal.login is None:
        # A password is checked after the claim has fixed iat, and again by each retry: the token
        # may not depend on when.
        claims["auth_time"] = min(principal.authenticated_at, order.claim.issued_at)
    else:
        context, methods = principal.login.context, principal.login.methods
        if principal.login.at is not None:
            claims["auth_time"] = principal.login.at
    context = options.authn_contexts.get(principal.method, context)
    methods = options.authn_methods.get(principal.method, methods)
    if mapped.authn_context is not None:
        context = mapped.authn_context
    if mapped.authn_methods is not None:
        methods = mapped.authn_methods
    if context:
        claims["acr"] = context
    if methods:
        claims["amr"] = list(methods)


def _value(values: tuple[str, ...], as_array: bool) -> str | list[str]:
    """Several values are one string with blanks between, as in the reference, unless asked."""
    if as_array and len(values) > 1:
        return list(values)
    return " ".join(values)

"""Mappers: attributes, claims, and how strong the login was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from broker.instance import OidcOptions
from broker.model import OPENIDCONNECT, USERNAME, X509
from broker.plug_ins import Translation

TEAMS = {"engineering": "builders", "support": "helpers", "machines": "machines"}
BY_NAME = "urn:oasis:names:tc:SAML:2.0:ac:classes:Password"


def _teams(order: Translation) -> tuple[str, ...]:
    attributes = order.principal.attributes or {}
    departments = attributes.get("department", ())
    return tuple(TEAMS[each] for each in departments if each in TEAMS)


class TeamAttributes:
    """In the place of the attribute map: the team alone."""

    def attributes(self, order: Translation) -> Mapping[str, Sequence[str]]:
        return {"team": _teams(order), "mail": (order.principal.attributes or {}).get("mail", ())}


class TeamClaims:
    """In the place of the claim map: what it would give, and the team."""

    def claims(self, order: Translation) -> Mapping[str, Sequence[str]]:
        attributes = order.principal.attributes or {}
        mapped = order.options.claim_map if isinstance(order.options, OidcOptions) else {}
        found = {claim: attributes.get(name, ()) for claim, name in mapped.items()}
        return {**found, "team": _teams(order)}


class LoginStrength:
    """``acr`` and ``amr`` of ID tokens, and the context of assertions."""

    def authn_context(self, order: Translation) -> str | None:
        if order.output.type == OPENIDCONNECT:
            return {USERNAME: "low", X509: "high"}.get(order.principal.method)
        return BY_NAME if order.principal.method == USERNAME else None

    def authn_methods(self, order: Translation) -> Sequence[str]:
        """Names of RFC 8176."""
        return {USERNAME: ("pwd",), X509: ("hwk",)}.get(order.principal.method, ())

"""Statements: parts of an assertion in the place of the broker's own."""

from __future__ import annotations

from broker.plug_ins import Translation
from broker.statements import (
    PERMIT,
    Action,
    Attribute,
    AttributeStatement,
    AuthnStatement,
    AuthzDecisionStatement,
    Conditions,
    Subject,
)

SECONDS = 60
EMAIL = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
BASIC = "urn:oasis:names:tc:SAML:2.0:attrname-format:basic"
HTTP_ACTIONS = "urn:oasis:names:tc:SAML:1.0:action:ghpp"
KERBEROS = "urn:oasis:names:tc:SAML:2.0:ac:classes:Kerberos"


class Careful:
    """One use, within a minute. An instance may name it for any of these parts."""

    def conditions(self, order: Translation) -> Conditions:
        ends = min(order.issued_at + SECONDS, order.expires_at)
        return Conditions(not_on_or_after=ends, one_time_use=True)

    def subject(self, order: Translation) -> Subject:
        mails = (order.principal.attributes or {}).get("mail", ())
        return Subject(mails[0] if mails else order.principal.name, EMAIL if mails else None)

    def authentication_statements(self, order: Translation) -> list[AuthnStatement]:
        at = order.principal.authenticated_at
        return [AuthnStatement(at, KERBEROS, session_index=order.token_id)]

    def attribute_statements(self, order: Translation) -> list[AttributeStatement]:
        """What the instance maps, with a format and a friendly name for each."""
        mapped = order.claims.values.items()
        found = tuple(Attribute(name, values, BASIC, name.title()) for name, values in mapped)
        return [AttributeStatement(found)] if found else []

    def authz_decision_statements(self, order: Translation) -> list[AuthzDecisionStatement]:
        resource = f"https://files.example.com/{order.principal.name}"
        return [AuthzDecisionStatement(resource, PERMIT, (Action("GET", HTTP_ACTIONS),))]

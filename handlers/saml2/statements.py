"""Writes the parts of an assertion that plug-ins gave, in canonical form below ``saml``.

What the instance fixes stays: the audience, the method of confirmation, and the end. A value that
cannot be written is the failure of the plug-in that gave it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from broker.errors import CannotIssue, InvalidRequest, PlugInFailed
from broker.instance import Saml2Encryption, Saml2Options
from broker.model import Confirmation
from broker.statements import (
    DECISIONS,
    AttributeStatement,
    AuthnStatement,
    AuthzDecisionStatement,
    Conditions,
    Mapped,
    Subject,
)
from handlers.saml2.escape import text
from handlers.saml2.names import BEARER, CONFIRMATION_METHODS, DSIG, XSI
from handlers.saml2.parts import (
    attribute_start,
    instant,
    name_id,
    name_id_start,
    one_attribute,
    xml_attribute,
)
from handlers.saml2.signature import x509_data

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Fixed:
    """What the assertion is held to, whatever a plug-in says; times in seconds since the epoch."""

    options: Saml2Options
    confirmation: Confirmation
    issued_at: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class Plugged:
    """The elements that stand in the place of our own; None where no plug-in is named."""

    subject: str | None = None
    conditions: str | None = None
    authentication: str | None = None
    decisions: str = ""
    attributes: str | None = None


NOTHING_PLUGGED = Plugged()


def plugged(mapped: Mapped, fixed: Fixed) -> Plugged:
    """Raises PlugInFailed for what cannot be written, CannotIssue for a broken instance."""
    names, encrypt = fixed.options.plug_ins, fixed.options.encryption

    def written(name: str | None, said: T | None, write: Callable[[T], str]) -> str | None:
        return None if said is None else _attempted(name or "", lambda: write(said))

    return Plugged(
        subject=written(names.subject, mapped.subject, lambda said: _subject(said, fixed)),
        conditions=written(
            names.conditions, mapped.conditions, lambda said: _conditions(said, fixed)
        ),
        authentication=written(
            names.authentication_statements,
            mapped.authentication_statements,
            lambda said: "".join(_authn(each, fixed) for each in said),
        ),
        decisions=written(
            names.authz_decision_statements,
            mapped.authz_decision_statements,
            lambda said: "".join(map(_decision, said)),
        )
        or "",
        attributes=written(
            names.attribute_statements,
            mapped.attribute_statements,
            lambda said: _attribute_statements(said, encrypt),
        ),
    )


def _attempted(name: str, write: Callable[[], str]) -> str:
    try:
        return write()
    except CannotIssue:
        raise
    except (InvalidRequest, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise PlugInFailed(
            "a plug-in of this instance failed",
            detail=f"what the plug-in {name} gave cannot be written: {type(error).__name__}",
        ) from error


def _subject(said: Subject, fixed: Fixed) -> str:
    start = name_id_start(
        said.format or "",
        said.name_qualifier or "",
        said.sp_name_qualifier or "",
        said.sp_provided_id or "",
    )
    if not said.name_id:
        raise ValueError("a subject without a name")
    named = name_id(start, said.name_id, fixed.options.encryption)
    method = CONFIRMATION_METHODS[fixed.confirmation.method]
    return (
        f'<saml:Subject>{named}<saml:SubjectConfirmation Method="{method}">'
        f"{_confirmation_data(said, fixed)}</saml:SubjectConfirmation></saml:Subject>"
    )


def _confirmation_data(said: Subject, fixed: Fixed) -> str:
    """Section 2.4.1.2: a bearer's must have an end and has the recipient; a holder's its key."""
    confirmation, bearer = fixed.confirmation, fixed.confirmation.method == BEARER
    recipient = said.recipient or (fixed.options.recipient if bearer else None)
    attributes = (
        xml_attribute("Address", said.address or "")
        + xml_attribute("InResponseTo", said.in_response_to or "")
        + (xml_attribute("NotOnOrAfter", instant(fixed.expires_at)) if bearer else "")
        + xml_attribute("Recipient", recipient or "")
    )
    if confirmation.certificate is not None:
        return (
            f'<saml:SubjectConfirmationData xmlns:xsi="{XSI}"{attributes}'
            ' xsi:type="saml:KeyInfoConfirmationDataType">'
            f'<ds:KeyInfo xmlns:ds="{DSIG}">{x509_data(confirmation.certificate)}</ds:KeyInfo>'
            "</saml:SubjectConfirmationData>"
        )
    if not attributes:
        return ""
    return f"<saml:SubjectConfirmationData{attributes}></saml:SubjectConfirmationData>"


def _conditions(said: Conditions, fixed: Fixed) -> str:
    """Section 2.5, with the audience of the instance whatever the plug-in says."""
    begins = fixed.issued_at if said.not_before is None else said.not_before
    ends = fixed.expires_at if said.not_on_or_after is None else said.not_on_or_after
    if not fixed.issued_at <= begins < ends <= fixed.expires_at:
        raise ValueError("conditions beyond the life of the assertion")
    audience = fixed.options.audience
    inside = ""
    if audience:
        inside = (
            f"<saml:AudienceRestriction><saml:Audience>{text(audience, 'the audience')}"
            "</saml:Audience></saml:AudienceRestriction>"
        )
    if said.one_time_use:
        inside += "<saml:OneTimeUse></saml:OneTimeUse>"
    if said.proxy_count is not None:
        if said.proxy_count < 0:
            raise ValueError("a negative count")
        inside += f'<saml:ProxyRestriction Count="{int(said.proxy_count)}"></saml:ProxyRestriction>'
    return (
        f'<saml:Conditions NotBefore="{instant(begins)}" NotOnOrAfter="{instant(ends)}">'
        f"{inside}</saml:Conditions>"
    )


def _authn(said: AuthnStatement, fixed: Fixed) -> str:
    """Section 2.7.2; a login is never later than the assertion."""
    session_ends = said.session_not_on_or_after
    attributes = (
        xml_attribute("AuthnInstant", instant(min(said.instant, fixed.issued_at)))
        + xml_attribute("SessionIndex", said.session_index or "")
        + (
            ""
            if session_ends is None
            else xml_attribute("SessionNotOnOrAfter", instant(session_ends))
        )
    )
    locality = xml_attribute("Address", said.address or "")
    locality += xml_attribute("DNSName", said.dns_name or "")
    if locality:
        locality = f"<saml:SubjectLocality{locality}></saml:SubjectLocality>"
    if not said.context:
        raise ValueError("an authentication without a context")
    authorities = "".join(
        f"<saml:AuthenticatingAuthority>{text(each, 'an authority')}</saml:AuthenticatingAuthority>"
        for each in said.authorities
    )
    return (
        f"<saml:AuthnStatement{attributes}>{locality}<saml:AuthnContext>"
        f"<saml:AuthnContextClassRef>{text(said.context, 'the context')}"
        f"</saml:AuthnContextClassRef>{authorities}</saml:AuthnContext></saml:AuthnStatement>"
    )


def _decision(said: AuthzDecisionStatement) -> str:
    """Section 2.7.4."""
    if said.decision not in DECISIONS or not said.actions:
        raise ValueError("no such decision")
    actions = "".join(
        f"<saml:Action{xml_attribute('Namespace', each.namespace)}>{text(each.name, 'an action')}"
        "</saml:Action>"
        for each in said.actions
    )
    return (
        f"<saml:AuthzDecisionStatement{xml_attribute('Decision', said.decision)}"
        # Empty is a resource too: the document that the assertion stands in.
        f"{xml_attribute('Resource', said.resource) or _EMPTY_RESOURCE}>"
        f"{actions}</saml:AuthzDecisionStatement>"
    )


_EMPTY_RESOURCE = ' Resource=""'


def _attribute_statements(
    said: Sequence[AttributeStatement], encrypt: Saml2Encryption | None
) -> str:
    return "".join(_attribute_statement(each, encrypt) for each in said)


def _attribute_statement(said: AttributeStatement, encrypt: Saml2Encryption | None) -> str:
    """Section 2.7.3."""
    if not said.attributes or not all(each.name for each in said.attributes):
        raise ValueError("a statement without attributes, or one without a name")
    written = "".join(
        one_attribute(
            attribute_start(each.name, each.name_format or "", each.friendly_name or ""),
            each.name,
            tuple(each.values),
            encrypt,
        )
        for each in said.attributes
    )
    return f"<saml:AttributeStatement>{written}</saml:AttributeStatement>"

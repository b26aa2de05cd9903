"""Writes an assertion as exclusive C14N would leave it, so that no canonicaliser has to run.

That form asks for: no XML declaration, start and end tags for empty elements, a namespace declared
at the first element that uses it, attributes without a namespace before those with one and each
group by name, and the escapes of ``escape``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from broker.errors import CannotIssue
from broker.instance import Saml2Options
from broker.model import Confirmation
from broker.ports import Signer
from handlers.saml2.escape import attribute, text
from handlers.saml2.names import BEARER, CONFIRMATION_METHODS, DSIG, SAML, XSI
from handlers.saml2.signature import signature, x509_data

MAX_PREPARED_INSTANCES = 1024
MAX_PREPARED_ATTRIBUTES = 4096


@dataclass(frozen=True, slots=True)
class Content:
    """What differs from one assertion to the next. Times are seconds since the epoch."""

    id: str
    issued_at: int
    expires_at: int
    subject: str
    confirmation: Confirmation
    authn_context: str
    attributes: Mapping[str, tuple[str, ...]]


async def assertion(options: Saml2Options, content: Content, signer: Signer | None) -> bytes:
    """The assertion in UTF-8, signed if there is a signer.

    Raises InvalidRequest for a value that XML cannot hold, CannotIssue for a broken instance.
    """
    frame = _frame(options.issuer, options.audience, options.recipient, options.name_id_format)
    issued_at, expires_at = _instant(content.issued_at), _instant(content.expires_at)
    head = (
        f'<saml:Assertion xmlns:saml="{SAML}" ID="{content.id}" IssueInstant="{issued_at}"'
        f' Version="2.0">{frame.issuer}'
    )
    rest = (
        f"<saml:Subject>{frame.name_id}{text(content.subject, 'the name of the subject')}"
        f"</saml:NameID>{_confirmation(frame, content.confirmation, expires_at)}</saml:Subject>"
        f'<saml:Conditions NotBefore="{issued_at}" NotOnOrAfter="{expires_at}">'
        f"{frame.audience}</saml:Conditions>"
        f'<saml:AuthnStatement AuthnInstant="{issued_at}"><saml:AuthnContext>'
        f"<saml:AuthnContextClassRef>{content.authn_context}</saml:AuthnContextClassRef>"
        f"</saml:AuthnContext></saml:AuthnStatement>"
        f"{_attributes(content.attributes)}</saml:Assertion>"
    )
    unsigned = f"{head}{rest}".encode()
    if signer is None:
        return unsigned
    return f"{head}{await signature(unsigned, content.id, signer)}{rest}".encode()


@dataclass(frozen=True, slots=True)
class _Frame:
    """The parts of an assertion that depend on the instance alone; ``name_id`` is a start tag."""

    issuer: str
    name_id: str
    recipient: str
    audience: str


@lru_cache(maxsize=MAX_PREPARED_INSTANCES)
def _frame(issuer: str, audience: str, recipient: str | None, name_id_format: str | None) -> _Frame:
    format_ = (name_id_format or "").strip()
    restriction = (
        f"<saml:AudienceRestriction><saml:Audience>{text(audience, 'the audience')}"
        "</saml:Audience></saml:AudienceRestriction>"
    )
    return _Frame(
        issuer=f"<saml:Issuer>{text(issuer, 'the issuer')}</saml:Issuer>",
        name_id=f"<saml:NameID{_attribute('Format', format_)}>",
        recipient=_attribute("Recipient", recipient or ""),
        audience=restriction if audience else "",
    )


def _confirmation(frame: _Frame, confirmation: Confirmation, expires_at: str) -> str:
    """SAML 2.0 core, section 2.4.1.1, and the profiles' section 3 for what each method holds."""
    data = ""
    if confirmation.method == BEARER:
        data = (
            f'<saml:SubjectConfirmationData NotOnOrAfter="{expires_at}"{frame.recipient}>'
            "</saml:SubjectConfirmationData>"
        )
    elif confirmation.certificate is not None:
        data = (
            f'<saml:SubjectConfirmationData xmlns:xsi="{XSI}"'
            ' xsi:type="saml:KeyInfoConfirmationDataType">'
            f'<ds:KeyInfo xmlns:ds="{DSIG}">{x509_data(confirmation.certificate)}</ds:KeyInfo>'
            "</saml:SubjectConfirmationData>"
        )
    method = CONFIRMATION_METHODS[confirmation.method]
    return f'<saml:SubjectConfirmation Method="{method}">{data}</saml:SubjectConfirmation>'


def _attributes(attributes: Mapping[str, tuple[str, ...]]) -> str:
    """The attribute statement; nothing at all where there is nothing to state."""
    stated = [(key, values) for key, values in attributes.items() if values]
    if not stated:
        return ""
    return f"<saml:AttributeStatement>{''.join(map(_stated, stated))}</saml:AttributeStatement>"


def _stated(entry: tuple[str, tuple[str, ...]]) -> str:
    key, values = entry
    start, what = _attribute_start(key)
    inside = "".join(
        f"<saml:AttributeValue>{text(value, what)}</saml:AttributeValue>" for value in values
    )
    return f"{start}{inside}</saml:Attribute>"


@lru_cache(maxsize=MAX_PREPARED_ATTRIBUTES)
def _attribute_start(key: str) -> tuple[str, str]:
    """The start tag for a key ``Name`` or ``NameFormat|Name``, and what to call it in a refusal."""
    parts = key.split("|")
    name_format, name = ("", parts[0]) if len(parts) == 1 else (parts[0], parts[1])
    if not name:
        raise CannotIssue("the attribute map of this instance holds an attribute without a name")
    tag = f"<saml:Attribute{_attribute('Name', name)}{_attribute('NameFormat', name_format)}>"
    return tag, f"attribute {name}"


def _attribute(name: str, value: str) -> str:
    """The attribute with a blank before it; nothing for an empty value."""
    return f' {name}="{attribute(value, name)}"' if value else ""


def _instant(seconds: int) -> str:
    """``xs:dateTime`` in UTC, whole seconds (SAML 2.0 core, section 1.3.3)."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

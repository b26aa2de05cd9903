"""Writes an assertion as exclusive C14N would leave it, so that no canonicaliser has to run.

That form asks for: no XML declaration, start and end tags for empty elements, a namespace declared
at the first element that uses it, attributes without a namespace before those with one and each
group by name, and the escapes of ``escape``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from broker.instance import Saml2Encryption, Saml2Options
from broker.model import Confirmation
from broker.ports import Signer
from broker.statements import NOTHING_MAPPED, Mapped
from handlers.saml2.encryption import encryptor
from handlers.saml2.escape import text
from handlers.saml2.name_id import is_pairwise, name_id_format
from handlers.saml2.names import BEARER, CONFIRMATION_METHODS, DSIG, SAML, XSI
from handlers.saml2.parts import (
    attribute_start,
    instant,
    name_id,
    name_id_start,
    one_attribute,
    xml_attribute,
)
from handlers.saml2.signature import signature, x509_data
from handlers.saml2.statements import NOTHING_PLUGGED, Fixed, Plugged, plugged

MAX_PREPARED_INSTANCES = 1024
MAX_PREPARED_ATTRIBUTES = 4096
MAX_PREPARED_CONTEXTS = 256


@dataclass(frozen=True, slots=True)
class Content:
    """What differs from one assertion to the next. Times are seconds since the epoch.

    ``subject`` is the text of the NameID, ``authn_context`` that of the AuthnContextClassRef;
    ``mapped`` holds the parts that plug-ins gave in the place of our own.
    """

    id: str
    issued_at: int
    expires_at: int
    authenticated_at: int
    subject: str
    confirmation: Confirmation
    authn_context: str
    attributes: Mapping[str, tuple[str, ...]]
    mapped: Mapped = NOTHING_MAPPED


@dataclass(frozen=True, slots=True)
class Written:
    """A finished document. ``cipher_value`` is the text that names an encrypted assertion, None
    for one that shows its ID."""

    text: str
    cipher_value: str | None = None


async def assertion(options: Saml2Options, content: Content, signer: Signer | None) -> Written:
    """The assertion, signed if there is a signer, encrypted as the options say.

    Parts are encrypted before it is signed, the whole of it afterwards. Raises InvalidRequest for
    a value that XML cannot hold, CannotIssue for a broken instance.
    """
    parts = options.encryption
    signed = await _signed(options, content, signer, parts)
    if parts is None or not parts.assertion:
        return Written(signed)
    data, cipher_value = encryptor(parts).encrypted(signed)
    return Written(
        f'<saml:EncryptedAssertion xmlns:saml="{SAML}">{data}</saml:EncryptedAssertion>',
        cipher_value,
    )


async def _signed(
    options: Saml2Options,
    content: Content,
    signer: Signer | None,
    encrypt: Saml2Encryption | None,
) -> str:
    frame = _frame(
        options.issuer,
        options.audience,
        options.recipient,
        name_id_format(options),
        is_pairwise(options),
    )
    issued_at, expires_at = instant(content.issued_at), instant(content.expires_at)
    head = (
        f'<saml:Assertion xmlns:saml="{SAML}" ID="{content.id}" IssueInstant="{issued_at}"'
        f' Version="2.0">{frame.issuer}'
    )
    given = _given(options, content)
    subject = (
        f"<saml:Subject>{name_id(frame.name_id, content.subject, encrypt)}"
        f"{_confirmation(frame, content.confirmation, expires_at)}</saml:Subject>"
        if given.subject is None
        else given.subject
    )
    conditions = (
        f'<saml:Conditions NotBefore="{issued_at}" NotOnOrAfter="{expires_at}">'
        f"{frame.audience}</saml:Conditions>"
        if given.conditions is None
        else given.conditions
    )
    authentication = (
        f'<saml:AuthnStatement AuthnInstant="{_authn_instant(content, issued_at)}">'
        f"{_authn_context(content.authn_context)}</saml:AuthnStatement>"
        if given.authentication is None
        else given.authentication
    )
    attributes = (
        _attributes(content.attributes, encrypt) if given.attributes is None else given.attributes
    )
    rest = f"{subject}{conditions}{authentication}{given.decisions}{attributes}</saml:Assertion>"
    if signer is None:
        return head + rest
    unsigned = f"{head}{rest}".encode()
    return f"{head}{await signature(unsigned, content.id, signer, options.digest)}{rest}"


@dataclass(frozen=True, slots=True)
class _Frame:
    """The parts of an assertion that depend on the instance alone; ``name_id`` is a start tag."""

    issuer: str
    name_id: str
    recipient: str
    audience: str


@lru_cache(maxsize=MAX_PREPARED_INSTANCES)
def _frame(
    issuer: str, audience: str, recipient: str | None, format_: str, pairwise: bool
) -> _Frame:
    restriction = (
        f"<saml:AudienceRestriction><saml:Audience>{text(audience, 'the audience')}"
        "</saml:Audience></saml:AudienceRestriction>"
    )
    return _Frame(
        issuer=f"<saml:Issuer>{text(issuer, 'the issuer')}</saml:Issuer>",
        name_id=name_id_start(format_, *((issuer, audience) if pairwise else ())),
        recipient=xml_attribute("Recipient", recipient or ""),
        audience=restriction if audience else "",
    )


def _given(options: Saml2Options, content: Content) -> Plugged:
    """The parts that plug-ins gave."""
    if content.mapped is NOTHING_MAPPED:
        return NOTHING_PLUGGED
    fixed = Fixed(options, content.confirmation, content.issued_at, content.expires_at)
    return plugged(content.mapped, fixed)


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


def _authn_instant(content: Content, issued_at: str) -> str:
    """Never later than the assertion, which a retry dates as the first attempt did."""
    if content.authenticated_at >= content.issued_at:
        return issued_at
    return instant(max(content.authenticated_at, 0))


@lru_cache(maxsize=MAX_PREPARED_CONTEXTS)
def _authn_context(name: str) -> str:
    return (
        f"<saml:AuthnContext><saml:AuthnContextClassRef>{text(name, 'the authentication context')}"
        "</saml:AuthnContextClassRef></saml:AuthnContext>"
    )


def _attributes(attributes: Mapping[str, tuple[str, ...]], encrypt: Saml2Encryption | None) -> str:
    """The attribute statement; nothing at all where there is nothing to state."""
    stated = [
        one_attribute(*_attribute_start(key), values, encrypt)
        for key, values in attributes.items()
        if values
    ]
    if not stated:
        return ""
    return f"<saml:AttributeStatement>{''.join(stated)}</saml:AttributeStatement>"


@lru_cache(maxsize=MAX_PREPARED_ATTRIBUTES)
def _attribute_start(key: str) -> tuple[str, str]:
    """The start tag for a key ``Name`` or ``NameFormat|Name``, and the name."""
    parts = key.split("|")
    name_format, name = ("", parts[0]) if len(parts) == 1 else (parts[0], parts[1])
    return attribute_start(name, name_format), name

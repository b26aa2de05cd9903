"""Who a client certificate speaks for: the one part of it that the authority's rule names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from cryptography import x509
from cryptography.x509.oid import NameOID

from handlers.members import is_unicode

UPN = x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")
"""A Microsoft user principal name, as otherName."""

MAX_SUBJECT_LENGTH = 255
MAX_VALUES = 32

_UTF8_STRING, _LONG_FORM = 0x0C, 0x80

PARTS: Mapping[str, x509.ObjectIdentifier] = {
    "cn": NameOID.COMMON_NAME,
    "uid": NameOID.USER_ID,
    "dn_email": NameOID.EMAIL_ADDRESS,
    "serial_number": NameOID.SERIAL_NUMBER,
    "o": NameOID.ORGANIZATION_NAME,
    "ou": NameOID.ORGANIZATIONAL_UNIT_NAME,
}
"""Parts of the distinguished name (RFC 4519)."""


def _dn(certificate: x509.Certificate) -> list[str]:
    """As RFC 4514 writes it; a certificate may have none."""
    text = certificate.subject.rfc4514_string({NameOID.EMAIL_ADDRESS: "emailAddress"})
    return [text] if text else []


def _issuer(certificate: x509.Certificate) -> list[str]:
    return [certificate.issuer.rfc4514_string({NameOID.EMAIL_ADDRESS: "emailAddress"})]


def _emails(certificate: x509.Certificate) -> list[str]:
    return _alternative(certificate).get_values_for_type(x509.RFC822Name)


def _uris(certificate: x509.Certificate) -> list[str]:
    return _alternative(certificate).get_values_for_type(x509.UniformResourceIdentifier)


def _upns(certificate: x509.Certificate) -> list[str]:
    others = _alternative(certificate).get_values_for_type(x509.OtherName)
    return [_utf8_string(other.value) for other in others if other.type_id == UPN]


def _hexadecimal_serial(certificate: x509.Certificate) -> list[str]:
    return [f"{certificate.serial_number:x}"]


def _part(oid: x509.ObjectIdentifier) -> Callable[[x509.Certificate], list[str]]:
    def values(certificate: x509.Certificate) -> list[str]:
        found = [each.value for each in certificate.subject.get_attributes_for_oid(oid)]
        return [value for value in found if isinstance(value, str)]

    return values


READERS: Mapping[str, Callable[[x509.Certificate], list[str]]] = {
    "dn": _dn,
    "email": _emails,
    "upn": _upns,
    "uri": _uris,
    "issuer_dn": _issuer,
    "certificate_serial": _hexadecimal_serial,
    **{name: _part(oid) for name, oid in PARTS.items()},
}
"""What the attributes of a certificate's subject are called, and how they are read."""


class NoSubject(Exception):
    """The certificate does not say who it is in the way that the rule wants."""


def subject(certificate: x509.Certificate, rule: str) -> str:
    """The one value of the part that ``rule`` names. Raises NoSubject.

    Of several nobody could say which is meant, and a client may have chosen one of them.
    """
    found = _values(certificate, rule)
    if len(found) != 1:
        raise NoSubject(f"it needs exactly one {rule}, and has {len(found)}")
    value = found[0]
    if not 0 < len(value) <= MAX_SUBJECT_LENGTH or not value.isprintable():
        raise NoSubject(f"its {rule} is not of 1 to {MAX_SUBJECT_LENGTH} printable characters")
    return value


class CertificateAttributes(Mapping[str, tuple[str, ...]]):
    """What a certificate says, for claim maps; read when somebody asks for it."""

    def __init__(self, certificate: x509.Certificate) -> None:
        self._certificate = certificate

    def __getitem__(self, name: str) -> tuple[str, ...]:
        if name not in READERS:
            raise KeyError(name)
        values = _values(self._certificate, name)[:MAX_VALUES]
        return tuple(value for value in values if is_unicode(value) and value.isprintable())

    def __iter__(self) -> Iterator[str]:
        return iter(READERS)

    def __len__(self) -> int:
        return len(READERS)


def _values(certificate: x509.Certificate, name: str) -> list[str]:
    """None at all where the names cannot be read."""
    try:
        return READERS[name](certificate)
    except (ValueError, x509.UnsupportedGeneralNameType, x509.DuplicateExtension):
        return []


def _alternative(certificate: x509.Certificate) -> x509.SubjectAlternativeName:
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return x509.SubjectAlternativeName([])


def _utf8_string(der: bytes) -> str:
    """A DER UTF8String (X.690, section 8.23) of up to 255 bytes. Raises ValueError."""
    if len(der) < 2 or der[0] != _UTF8_STRING:
        raise ValueError("no UTF8String")
    size, content = der[1], der[2:]
    if size == _LONG_FORM + 1 and content:
        size, content = content[0], content[1:]
    if size != len(content):
        raise ValueError("not its length")
    return content.decode()

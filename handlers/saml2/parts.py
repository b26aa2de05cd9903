"""NameIDs and attributes as elements, each of them in the clear or encrypted.

They are written in canonical form below an element that declares the prefix ``saml``.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

from broker.errors import CannotIssue
from broker.instance import Saml2Encryption
from handlers.saml2.encryption import encryptor
from handlers.saml2.escape import attribute, text
from handlers.saml2.names import SAML

MAX_PREPARED_INSTANTS = 256  # those of one second are the same for all


def name_id_start(
    name_format: str = "", qualifier: str = "", sp_qualifier: str = "", provided_id: str = ""
) -> str:
    """The start tag of a NameID (SAML 2.0 core, section 2.2.3); what is empty is left out."""
    return (
        f"<saml:NameID{xml_attribute('Format', name_format)}"
        f"{xml_attribute('NameQualifier', qualifier)}"
        f"{xml_attribute('SPNameQualifier', sp_qualifier)}"
        f"{xml_attribute('SPProvidedID', provided_id)}>"
    )


def name_id(start: str, value: str, encrypt: Saml2Encryption | None) -> str:
    """The NameID that begins with ``start``, as an EncryptedID if NameIDs are encrypted."""
    element = f"{start}{text(value, 'the name of the subject')}</saml:NameID>"
    if encrypt is None or not encrypt.name_id:
        return element
    return _encrypted("EncryptedID", "saml:NameID", element, encrypt)


def attribute_start(name: str, name_format: str = "", friendly_name: str = "") -> str:
    """The start tag of an Attribute (section 2.7.3.1). Raises CannotIssue without a name."""
    if not name:
        raise CannotIssue("the attribute map of this instance holds an attribute without a name")
    return (
        f"<saml:Attribute{xml_attribute('FriendlyName', friendly_name)}"
        f"{xml_attribute('Name', name)}{xml_attribute('NameFormat', name_format)}>"
    )


def one_attribute(
    start: str, name: str, values: tuple[str, ...], encrypt: Saml2Encryption | None
) -> str:
    """The attribute that begins with ``start``, as an EncryptedAttribute if they are encrypted."""
    what = f"attribute {name}"
    inside = "".join(
        f"<saml:AttributeValue>{text(value, what)}</saml:AttributeValue>" for value in values
    )
    element = f"{start}{inside}</saml:Attribute>"
    if encrypt is None or not encrypt.attributes:
        return element
    return _encrypted("EncryptedAttribute", "saml:Attribute", element, encrypt)


def xml_attribute(name: str, value: str) -> str:
    """The attribute with a blank before it; nothing for an empty value."""
    return f' {name}="{attribute(value, name)}"' if value else ""


@lru_cache(maxsize=MAX_PREPARED_INSTANTS)
def instant(seconds: int) -> str:
    """``xs:dateTime`` in UTC, whole seconds (SAML 2.0 core, section 1.3.3)."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _encrypted(around: str, tag: str, element: str, encrypt: Saml2Encryption) -> str:
    """The element encrypted, in what sections 2.2.4 and 2.7.3.2 put around it.

    It declares its namespace first, since it is decrypted without the document around it.
    """
    alone = f'<{tag} xmlns:saml="{SAML}"{element[len(tag) + 1 :]}'
    data, _ = encryptor(encrypt).encrypted(alone)
    return f"<saml:{around}>{data}</saml:{around}>"

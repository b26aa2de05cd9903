"""Names that the SAML 2.0 and XML signature standards give."""

from collections.abc import Mapping

from broker.model import OPENAM, OPENIDCONNECT, USERNAME, X509, TokenType

SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
DSIG = "http://www.w3.org/2000/09/xmldsig#"
XENC = "http://www.w3.org/2001/04/xmlenc#"
XENC11 = "http://www.w3.org/2009/xmlenc11#"
XSI = "http://www.w3.org/2001/XMLSchema-instance"

EXCLUSIVE_C14N = "http://www.w3.org/2001/10/xml-exc-c14n#"
ENVELOPED_SIGNATURE = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"

BEARER = "BEARER"
HOLDER_OF_KEY = "HOLDER_OF_KEY"
SENDER_VOUCHES = "SENDER_VOUCHES"
#: SAML 2.0 profiles, section 3.
CONFIRMATION_METHODS = {
    BEARER: "urn:oasis:names:tc:SAML:2.0:cm:bearer",
    HOLDER_OF_KEY: "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key",
    SENDER_VOUCHES: "urn:oasis:names:tc:SAML:2.0:cm:sender-vouches",
}

_CLASSES = "urn:oasis:names:tc:SAML:2.0:ac:classes:"
UNSPECIFIED = _CLASSES + "unspecified"
_AUTHN_CONTEXTS = {
    OPENAM: _CLASSES + "PreviousSession",
    USERNAME: _CLASSES + "PasswordProtectedTransport",
    OPENIDCONNECT: _CLASSES + "PasswordProtectedTransport",
    X509: _CLASSES + "X509",
}


def authn_context(method: TokenType, named: Mapping[TokenType, str]) -> str:
    """The authentication context class of a token type (SAML 2.0 authn context, section 3.4), if
    it is not among those that an instance has ``named``."""
    return named.get(method) or _AUTHN_CONTEXTS.get(method, UNSPECIFIED)

"""A service provider that is not ours: pysaml2, told of the broker by metadata."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from saml2 import BINDING_HTTP_POST
from saml2.client import Saml2Client
from saml2.config import SPConfig
from saml2.response import AuthnResponse

from tests.handlers.saml2_judges import private_pem, provider_key
from tests.support.door import AUDIENCE, ISSUER, Door

ACS = f"{AUDIENCE}/acs"


def signing_certificate(door: Door, algorithm: str, realm: str = "/") -> str:
    """The base64 of the certificate that the realm signs assertions with."""
    kid = next(
        key.kid for key in door.broker.components.keys.list(realm) if key.algorithm == algorithm
    )
    pem = door.broker.components.keys.certificate(realm, kid)
    return b64encode(
        x509.load_pem_x509_certificate(pem.encode()).public_bytes(Encoding.DER)
    ).decode()


def service_provider(folder: Path, certificate: str, entity: str = AUDIENCE) -> Saml2Client:
    """One that wants signed assertions from our issuer, by that certificate alone."""
    key_file, cert_file = folder / "sp.key", folder / "sp.pem"
    key_file.write_bytes(private_pem())
    cert = x509.load_der_x509_certificate(provider_key()[1])
    cert_file.write_bytes(cert.public_bytes(Encoding.PEM))
    pair = {"key_file": str(key_file), "cert_file": str(cert_file)}
    config = SPConfig()
    config.load(
        {
            "entityid": entity,
            "service": {
                "sp": {
                    "endpoints": {"assertion_consumer_service": [(ACS, BINDING_HTTP_POST)]},
                    "want_assertions_signed": True,
                    "want_response_signed": False,
                    "allow_unsolicited": True,
                }
            },
            "metadata": {"inline": [_metadata(certificate)]},
            "allow_unknown_attributes": True,
            **pair,
            "encryption_keypairs": [pair],
        }
    )
    return Saml2Client(config)


def accepted(provider: Saml2Client, assertion: str) -> AuthnResponse:
    """What the service provider understood; raises whatever it refuses with."""
    response = (
        '<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="r1" Version="2.0"'
        f' IssueInstant="{_now()}" Destination="{ACS}">'
        f'<saml:Issuer xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">{ISSUER}</saml:Issuer>'
        "<samlp:Status><samlp:StatusCode"
        ' Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>'
        f"{assertion}</samlp:Response>"
    )
    found: Any = provider.parse_authn_request_response(
        b64encode(response.encode()).decode(), BINDING_HTTP_POST, outstanding={}
    )
    assert isinstance(found, AuthnResponse)
    return found


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _metadata(certificate: str) -> str:
    return (
        '<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata"'
        f' entityID="{ISSUER}">'
        '<md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">'
        '<md:KeyDescriptor use="signing"><ds:KeyInfo'
        ' xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data><ds:X509Certificate>'
        f"{certificate}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"
        '<md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"'
        f' Location="{ISSUER}/sso"/></md:IDPSSODescriptor></md:EntityDescriptor>'
    )

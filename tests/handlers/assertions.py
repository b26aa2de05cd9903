"""Assertions to look at, and the judges that look at them."""

from __future__ import annotations

import subprocess
from base64 import b64encode
from functools import lru_cache
from pathlib import Path
from typing import Any

from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.verifier import SignatureConfiguration, XMLVerifier

from broker.instance import SigningKey
from broker.model import Confirmation, IssuedToken
from broker.ports import Signer
from handlers.saml2.names import DSIG, SAML, XSI
from handlers.saml2.provider import Saml2Provider
from tests.handlers.builders import instance, order, principal, saml2_options, signer

PROVIDER = Saml2Provider()
NS = {"saml": SAML, "ds": DSIG, "xsi": XSI}
BEARER = Confirmation("BEARER")
#: Debian's opensaml-schemas and xmltooling-schemas.
SCHEMA_FOLDERS = (Path("/usr/share/xml/opensaml"), Path("/usr/share/xml/xmltooling"))


async def issued(
    algorithm: str | None = "ES256",
    *,
    confirmation: Confirmation = BEARER,
    claims: dict[str, tuple[str, ...]] | None = None,
    expires_at: int | None = None,
    subject: dict[str, Any] | None = None,
    **options: Any,
) -> IssuedToken:
    """One assertion by the provider; no algorithm means unsigned."""
    key = SigningKey(algorithm) if algorithm else None
    return await PROVIDER.issue(
        order(
            PROVIDER,
            confirmation,
            to=instance(saml2=saml2_options(signing_key=key, **options)),
            key=signer(algorithm) if algorithm else None,
            subject=principal(**subject or {}),
            claims=claims,
            expires_at=expires_at,
        )
    )


def xml(token: IssuedToken) -> bytes:
    text = token.body["issued_token"]
    assert isinstance(text, str)
    return text.encode()


def parsed(token: IssuedToken) -> etree._Element:
    return etree.fromstring(xml(token))


def canonical(document: bytes) -> bytes:
    """Exclusive C14N as libxml2 writes it."""
    return etree.tostring(etree.fromstring(document), method="c14n", exclusive=True)


def attributes(element: etree._Element) -> dict[str, str]:
    return {str(name): str(value) for name, value in element.attrib.items()}


def pem(key: Signer) -> str:
    encoded = b64encode(key.certificate or b"").decode()
    lines = [encoded[at : at + 64] for at in range(0, len(encoded), 64)]
    return "\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""])


def signxml_verified(document: bytes, algorithm: str) -> etree._Element:
    """What signxml saw signed, by our certificate and no other; it raises if that is nothing."""
    method = {"RS256": SignatureMethod.RSA_SHA256, "ES256": SignatureMethod.ECDSA_SHA256}[algorithm]
    config = SignatureConfiguration(
        signature_methods=frozenset({method}),
        digest_algorithms=frozenset({DigestAlgorithm.SHA256}),
        expect_references=1,
    )
    result = XMLVerifier().verify(
        document, x509_cert=pem(signer(algorithm)), id_attribute="ID", expect_config=config
    )
    seen = result.signed_xml if not isinstance(result, list) else None
    assert seen is not None
    return seen


def xmlsec1_accepts(document: bytes, algorithm: str, folder: Path) -> bool:
    """Whether the xmlsec1 program verifies it with our certificate."""
    certificate, file = folder / "signer.pem", folder / "assertion.xml"
    certificate.write_text(pem(signer(algorithm)))
    file.write_bytes(document)
    ran = subprocess.run(
        [
            *("xmlsec1", "--verify", "--id-attr:ID", f"{SAML}:Assertion"),
            *("--pubkey-cert-pem", str(certificate), str(file)),
        ],
        capture_output=True,
        check=False,
        timeout=30,
    )
    return ran.returncode == 0


class LocalSchemas(etree.Resolver):
    """The schemas name each other by web address; the files are here."""

    def resolve(self, system_url: str, public_id: str, context: Any) -> Any:  # type: ignore[override]
        name = system_url.rsplit("/", 1)[-1]
        for folder in SCHEMA_FOLDERS:
            if (folder / name).is_file():
                # lxml's stubs leave this method out.
                return self.resolve_filename(str(folder / name), context)  # type: ignore[attr-defined]
        raise FileNotFoundError(f"{name} is in neither opensaml-schemas nor xmltooling-schemas")


@lru_cache
def oasis_schema() -> etree.XMLSchema:
    """The schema of SAML 2.0 assertions, with those of XML signature and encryption behind it."""
    parser = etree.XMLParser(no_network=True)
    parser.resolvers.add(LocalSchemas())
    path = SCHEMA_FOLDERS[0] / "saml-schema-assertion-2.0.xsd"
    return etree.XMLSchema(etree.fromstring(path.read_bytes(), parser, base_url=str(path)))

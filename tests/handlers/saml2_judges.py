"""Judges of assertions beside those of ``assertions``: other implementations of XML Signature and
XML Encryption, each with keys of every kind."""

from __future__ import annotations

import subprocess
from functools import lru_cache
from pathlib import Path

import xmlsec
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.verifier import SignatureConfiguration, XMLVerifier

from adapters.keys import certificates, private_keys
from adapters.keys.signers import KeySigner
from broker.algorithms import XML_CIPHERS, XML_DIGESTS, XML_KEY_TRANSPORTS
from broker.instance import Recipient, Saml2Encryption
from broker.ports import Signer
from handlers.saml2.names import SAML, XENC, XENC11
from tests.handlers.assertions import LocalSchemas, pem
from tests.handlers.builders import NOW

ENCRYPTED_DATA = f"{{{XENC}}}EncryptedData"

SIGNXML = {
    "RS1": SignatureMethod.RSA_SHA1,
    "RS256": SignatureMethod.RSA_SHA256,
    "RS384": SignatureMethod.RSA_SHA384,
    "RS512": SignatureMethod.RSA_SHA512,
    "PS256": SignatureMethod.SHA256_RSA_MGF1,
    "PS384": SignatureMethod.SHA384_RSA_MGF1,
    "PS512": SignatureMethod.SHA512_RSA_MGF1,
    "ES256": SignatureMethod.ECDSA_SHA256,
    "ES384": SignatureMethod.ECDSA_SHA384,
    "ES512": SignatureMethod.ECDSA_SHA512,
}
DIGESTS = {
    "sha1": DigestAlgorithm.SHA1,
    "sha256": DigestAlgorithm.SHA256,
    "sha384": DigestAlgorithm.SHA384,
    "sha512": DigestAlgorithm.SHA512,
}


@lru_cache
def key_of(algorithm: str) -> Signer:
    """One key of each kind for the whole run; RSA keys sign with every RSA algorithm."""
    if algorithm[:2] in ("RS", "PS"):
        return KeySigner(*_rsa(), algorithm=algorithm)
    key = private_keys.generated(algorithm)
    certificate = certificates.der(certificates.self_signed(key, "/", NOW))
    return KeySigner(key, certificate, algorithm=algorithm)


@lru_cache
def _rsa() -> tuple[rsa.RSAPrivateKey, bytes]:
    key = private_keys.generated("RS256")
    assert isinstance(key, rsa.RSAPrivateKey)
    return key, certificates.der(certificates.self_signed(key, "/", NOW))


def signxml_sees(document: bytes, algorithm: str, digest: str) -> etree._Element:
    """What signxml verified with our certificate, this algorithm and this digest alone."""
    config = SignatureConfiguration(
        signature_methods=frozenset({SIGNXML[algorithm]}),
        digest_algorithms=frozenset({DIGESTS[digest]}),
        expect_references=1,
        location="./",
    )
    result = XMLVerifier().verify(
        document, x509_cert=pem(key_of(algorithm)), id_attribute="ID", expect_config=config
    )
    assert not isinstance(result, list)
    assert result.signed_xml is not None
    return result.signed_xml


def libxmlsec_accepts(document: bytes, algorithm: str) -> bool:
    """Whether python-xmlsec verifies it with our certificate."""
    root = etree.fromstring(document)
    xmlsec.tree.add_ids(root, ["ID"])
    context = xmlsec.SignatureContext()
    certificate = pem(key_of(algorithm)).encode()
    context.key = xmlsec.Key.from_memory(certificate, xmlsec.KeyFormat.CERT_PEM)
    node = xmlsec.tree.find_node(root, xmlsec.Node.SIGNATURE)
    assert node is not None
    try:
        context.verify(node)
    except xmlsec.Error:
        return False
    return True


def xmlsec1_accepts(document: bytes, algorithm: str, folder: Path) -> bool:
    """Whether the xmlsec1 program verifies it with our certificate."""
    certificate, file = folder / "signer.pem", folder / "assertion.xml"
    certificate.write_text(pem(key_of(algorithm)))
    file.write_bytes(document)
    ran = subprocess.run(
        [
            *("xmlsec1", "--verify", "--id-attr:ID", f"{SAML}:Assertion"),
            *("--pubkey-cert-pem", str(certificate), str(file)),
        ],
        capture_output=True,
        check=False,
        timeout=60,
    )
    return ran.returncode == 0


# -- a service provider that things are encrypted for --------------------------------------------


@lru_cache
def provider_key() -> tuple[rsa.RSAPrivateKey, bytes]:
    """The service provider's key, and its certificate (DER)."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key, certificates.der(certificates.self_signed(key, "sp", NOW))


def private_pem() -> bytes:
    return provider_key()[0].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def encryption(
    *what: str,
    cipher: str = "aes256-gcm",
    transport: str = "rsa-oaep-mgf1p",
    digest: str | None = None,
    certificate: bytes | None = None,
) -> Saml2Encryption:
    """Options that encrypt ``what`` (assertion, attributes, name_id), algorithms by short name."""
    return Saml2Encryption(
        recipient=Recipient(certificate=certificate or provider_key()[1]),
        algorithm=XML_CIPHERS[cipher][0],
        key_transport=XML_KEY_TRANSPORTS[transport],
        digest=XML_DIGESTS[digest] if digest else None,
        **dict.fromkeys(what, True),
    )


def libxmlsec_decrypted(document: bytes) -> etree._Element:
    """The document with each EncryptedData replaced by what python-xmlsec found in it."""
    root = etree.fromstring(document)
    while (found := next(root.iter(ENCRYPTED_DATA), None)) is not None:
        xmlsec.EncryptionContext(_private_keys()).decrypt(found)
    return root


@lru_cache
def _private_keys() -> xmlsec.KeysManager:
    manager = xmlsec.KeysManager()
    manager.add_key(xmlsec.Key.from_memory(private_pem(), xmlsec.KeyFormat.PEM))
    return manager


def xmlsec1_decrypted(document: bytes, folder: Path) -> etree._Element:
    """The same by the xmlsec1 program, which decrypts the first EncryptedData of a document."""
    private, file, out = folder / "sp.key", folder / "encrypted.xml", folder / "plain.xml"
    private.write_bytes(private_pem())
    while b"EncryptedData" in document:
        file.write_bytes(document)
        ran = subprocess.run(
            [
                *("xmlsec1", "--decrypt", "--privkey-pem", str(private)),
                *("--output", str(out), str(file)),
            ],
            capture_output=True,
            check=False,
            timeout=60,
        )
        assert ran.returncode == 0, ran.stderr.decode()
        document = out.read_bytes()
    return etree.fromstring(document)


def assertion_in(decrypted: etree._Element) -> bytes:
    """The assertion that was in an EncryptedAssertion, as a document of its own."""
    found = decrypted.find(f"{{{SAML}}}Assertion")
    assert found is not None
    return etree.tostring(found, method="c14n", exclusive=True)


@lru_cache
def encryption_schema() -> etree.XMLSchema:
    """The OASIS schema of assertions together with that of XML Encryption 1.1."""
    parser = etree.XMLParser(no_network=True)
    parser.resolvers.add(LocalSchemas())
    imports = "".join(
        f'<xs:import namespace="{space}" schemaLocation="{file}"/>'
        for space, file in ((SAML, "saml-schema-assertion-2.0.xsd"), (XENC11, "xenc11-schema.xsd"))
    )
    both = f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">{imports}</xs:schema>'
    return etree.XMLSchema(etree.fromstring(both.encode(), parser))

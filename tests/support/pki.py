"""Certificate authorities of clients: hierarchies, good certificates and bad, lists of revoked.

Everything is made anew with ``cryptography``; dates are of the clock of this machine.
"""

from __future__ import annotations

import base64
import ssl
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from broker.model import X509
from tests.support.door import Door

PATH = "/json/certificate-authorities"
NAME = "partner"
HEADER = "X-Client-Cert"
INPUT = {"token_type": X509}

CLIENT = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
SERVER = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
OCSP_SIGNING = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING])

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
Extensions = Iterable[tuple[x509.ExtensionType, bool]]


def key_usage(*wanted: str) -> x509.KeyUsage:
    """The usages that are named, and no other."""
    names = (
        *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"),
        *("key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
    )
    return x509.KeyUsage(**{name: name in wanted for name in names})


def weak_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 1024)  # noqa: S505  # to be refused


def dn(common_name: str, **more: str) -> x509.Name:
    """``CN`` and further parts, named as ``NameOID`` names them."""
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    parts += [x509.NameAttribute(getattr(NameOID, name), value) for name, value in more.items()]
    return x509.Name(parts)


def alternative(*names: x509.GeneralName) -> tuple[x509.ExtensionType, bool]:
    return x509.SubjectAlternativeName(list(names)), False


@dataclass
class Holder:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: PrivateKey = field(repr=False)

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @property
    def base64(self) -> str:
        return base64.b64encode(self.der).decode()

    @property
    def url_encoded(self) -> str:
        return quote(self.pem, safe="")

    def head(self, name: str = HEADER) -> dict[str, str]:
        """The header with this certificate, as a TLS offloader sends it."""
        return {name: self.base64}

    def issue(
        self,
        subject: str | x509.Name,
        *,
        key: PrivateKey | None = None,
        authority: bool = False,
        path_length: int | None = None,
        usage: x509.ExtendedKeyUsage | None = CLIENT,
        extensions: Extensions = (),
        begins: float = -3600,
        ends: float = 3600,
    ) -> Holder:
        """A certificate that this one signs; its life in seconds from now."""
        return _made(
            subject,
            by=self,
            key=key,
            authority=authority,
            path_length=path_length,
            usage=usage,
            extensions=extensions,
            begins=begins,
            ends=ends,
        )

    def crl(
        self,
        *revoked: Holder,
        begins: float = -60,
        ends: float = 3600,
        extensions: Extensions = (),
        algorithm: hashes.HashAlgorithm | None = None,
    ) -> x509.CertificateRevocationList:
        """The list of what this one revoked."""
        now = datetime.now(UTC)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(now + timedelta(seconds=begins))
            .next_update(now + timedelta(seconds=ends))
        )
        for holder in revoked:
            entry = x509.RevokedCertificateBuilder(
                holder.certificate.serial_number, now - timedelta(seconds=30)
            )
            builder = builder.add_revoked_certificate(entry.build())
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(self.key, hashes.SHA256())

    def files(self, folder: Path, name: str, *chain: Holder) -> tuple[Path, Path]:
        """Files with the certificate (and a chain after it) and the key."""
        paths = folder / f"{name}.pem", folder / f"{name}.key"
        paths[0].write_text(self.pem + "".join(each.pem for each in chain))
        paths[1].write_bytes(
            self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        )
        return paths


def root(subject: str | x509.Name = "Partner Root", **changes: Any) -> Holder:
    """An authority that certifies itself."""
    return _made(subject, by=None, **{"authority": True, "usage": None, **changes})


def _made(
    subject: str | x509.Name,
    *,
    by: Holder | None,
    key: PrivateKey | None = None,
    authority: bool = False,
    path_length: int | None = None,
    usage: x509.ExtendedKeyUsage | None = None,
    extensions: Extensions = (),
    begins: float = -3600,
    ends: float = 3600,
) -> Holder:
    key = key or ec.generate_private_key(ec.SECP256R1())
    name = dn(subject) if isinstance(subject, str) else subject
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(by.certificate.subject if by else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(seconds=begins))
        .not_valid_after(now + timedelta(seconds=ends))
        .add_extension(x509.BasicConstraints(authority, path_length), True)
    )
    given = [*extensions]
    if not any(isinstance(each, x509.KeyUsage) for each, _ in given):
        wanted = ("key_cert_sign", "crl_sign") if authority else ("digital_signature",)
        given.append((key_usage(*wanted), True))
    if usage is not None and not authority:
        given.append((usage, False))
    for extension, critical in given:
        builder = builder.add_extension(extension, critical)
    return Holder(builder.sign(by.key if by else key, hashes.SHA256()), key)


def pem_list(crl: x509.CertificateRevocationList) -> str:
    return crl.public_bytes(Encoding.PEM).decode()


def document(*anchors: Holder, **changes: Any) -> dict[str, Any]:
    """An authority as an administrator writes it, revocation off; None takes a member out."""
    said = {"anchors": "".join(each.pem for each in anchors), "revocation": "off", **changes}
    return {name: value for name, value in said.items() if value is not None}


async def accept(
    door: Door, *anchors: Holder, name: str = NAME, realm: str = "/", **changes: Any
) -> None:
    """Have a realm accept the clients of an authority."""
    await door.broker.components.authorities.put(realm, name, document(*anchors, **changes))


def client_context(
    server: Path, holder: Holder | None, folder: Path, chain: Iterable[Holder] = ()
) -> ssl.SSLContext:
    """TLS of a client that shows a certificate; ``server`` is that of the broker."""
    context = ssl.create_default_context(cafile=server)
    if holder is not None:
        context.load_cert_chain(*holder.files(folder, "client", *chain))
    return context

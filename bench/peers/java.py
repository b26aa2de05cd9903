"""What the peers on the JVM have in common: Maven Central and a key store."""

from __future__ import annotations

import datetime
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

from bench.peers.commands import done
from bench.target.keys import RSA_BITS

TOOLS = {
    "java": "a JDK, 17 or later (Debian: openjdk-17-jdk-headless)",
    "javac": "a JDK, 17 or later (Debian: openjdk-17-jdk-headless)",
    "mvn": "Maven (Debian: maven)",
}
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
MARK = "built"
ALIAS = "bench"
STORE_PASSWORD = "changeit"  # noqa: S105  # of a key that lives as long as the run
CERTIFICATE_DAYS = 30
JWT_SIGNATURE = f"RS256, {RSA_BITS} bit, SHA-256"
XML_SIGNATURE = f"RSA-SHA256, {RSA_BITS} bit, digest SHA-256, exclusive C14N"


def built(home: Path) -> bool:
    """Whether the installation there came to its end; what did not is taken away."""
    if (home / MARK).exists():
        return True
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    return False


def fetched(artifact: str, folder: Path) -> Path:
    """``group:name:version:kind`` from Maven Central, put into ``folder``; raises PeerFailed."""
    _, name, version, kind = artifact.split(":")
    command = ("mvn", "--batch-mode", "--quiet", COPY)
    goal = (f"-Dartifact={artifact}", f"-DoutputDirectory={folder}")
    done(*command, *goal, folder=folder, step=f"mvn dependency:copy {artifact}")
    return folder / f"{name}-{version}.{kind}"


@dataclass(frozen=True, slots=True)
class KeyStore:
    """One RSA key under :data:`ALIAS`, in files; the passwords are :data:`STORE_PASSWORD`."""

    store: Path
    """A JKS file. CXF takes the key out of it for each token, which PKCS #12 makes slow."""
    certificate: Path
    """The key's certificate, as PEM."""
    private_key: str = field(repr=False)
    """As PEM (PKCS #8)."""


def key_store(folder: Path) -> KeyStore:
    """A new key with its certificate, below ``folder``; raises PeerFailed."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
    certificate = _certificate(key)
    plain = serialization.NoEncryption()
    password = STORE_PASSWORD.encode()
    made = KeyStore(
        store=folder / "keys.jks",
        certificate=folder / "certificate.pem",
        private_key=key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain
        ).decode(),
    )
    made.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    source = folder / "keys.p12"
    sealed = serialization.BestAvailableEncryption(password)
    source.write_bytes(
        pkcs12.serialize_key_and_certificates(ALIAS.encode(), key, certificate, None, sealed)
    )
    command = ["keytool", "-importkeystore", "-noprompt"]
    command += ["-srckeystore", str(source), "-srcstoretype", "PKCS12"]
    command += ["-srcstorepass", STORE_PASSWORD]
    command += ["-destkeystore", str(made.store), "-deststoretype", "JKS"]
    command += ["-deststorepass", STORE_PASSWORD, "-destkeypass", STORE_PASSWORD]
    done(*command, folder=folder, step="keytool -importkeystore")
    return made


def _certificate(key: rsa.RSAPrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, ALIAS)])
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=CERTIFICATE_DAYS))
        .sign(key, hashes.SHA256())
    )

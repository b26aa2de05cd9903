"""Key-store files as operators have them: made by ``keytool`` and ``openssl``, once for a run."""

from __future__ import annotations

import functools
import shutil
import ssl
import subprocess
import tempfile
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

STORE_PASSWORD = "opens-the-file"
KEY_PASSWORD = "another-password"
RSA_ALIAS, EC_ALIAS, PARTNER_ALIAS, SMALL_ALIAS = "own", "own-ec", "partner", "small"
SUBJECT = "/CN=own"

needs_keytool = pytest.mark.skipif(shutil.which("keytool") is None, reason="needs Java's keytool")


def _keytool(*arguments: str) -> None:
    subprocess.run(["keytool", *arguments], check=True, capture_output=True, timeout=120)


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=120)


@functools.cache
def folder() -> Path:
    """A folder of files; removed when Python ends."""
    made = tempfile.TemporaryDirectory(prefix="key-stores-")
    _kept.append(made)
    path = Path(made.name)
    pem(path)
    p12(path)
    return path


_kept: list[tempfile.TemporaryDirectory[str]] = []


def pem(path: Path) -> None:
    """``own.pem``: key and certificate; ``locked.pem``: the same, encrypted; ``partner.pem``."""
    key, certificate = path / "own.key", path / "own.crt"
    request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", SUBJECT]
    _openssl(*request, "-keyout", str(key), "-out", str(certificate))
    (path / "own.pem").write_bytes(certificate.read_bytes() + key.read_bytes())
    locked = path / "locked.key"
    _openssl(
        *("pkcs8", "-topk8", "-v2", "aes256", "-in", str(key), "-out", str(locked)),
        *("-passout", f"pass:{KEY_PASSWORD}"),
    )
    (path / "locked.pem").write_bytes(locked.read_bytes() + certificate.read_bytes())
    (path / "partner.pem").write_bytes(certificate.read_bytes())
    (path / "bare.pem").write_bytes(key.read_bytes())


def p12(path: Path) -> None:
    """``own.p12``, with the alias ``own``."""
    _openssl(
        *("pkcs12", "-export", "-name", RSA_ALIAS, "-out", str(path / "own.p12")),
        *("-inkey", str(path / "own.key"), "-in", str(path / "own.crt")),
        *("-passout", f"pass:{STORE_PASSWORD}"),
    )


@functools.cache
def java(kind: str) -> Path:
    """``own.jks`` or ``own.jceks``: an RSA and an EC key, each with its password, a certificate."""
    path = folder() / f"own.{kind}"
    opened = ["-keystore", str(path), "-storetype", kind.upper(), "-storepass", STORE_PASSWORD]
    made = ["-genkeypair", *opened, "-dname", "CN=own", "-validity", "30"]
    _keytool(*made, "-alias", RSA_ALIAS, "-keyalg", "RSA", "-keysize", "2048",
             "-keypass", STORE_PASSWORD)  # fmt: skip
    _keytool(*made, "-alias", EC_ALIAS, "-keyalg", "EC", "-groupname", "secp256r1",
             "-keypass", KEY_PASSWORD)  # fmt: skip
    _keytool(*made, "-alias", SMALL_ALIAS, "-keyalg", "RSA", "-keysize", "1024",
             "-keypass", STORE_PASSWORD)  # fmt: skip
    certificate = str(folder() / "own.crt")
    _keytool("-importcert", *opened, "-noprompt", "-alias", PARTNER_ALIAS, "-file", certificate)
    return path


@functools.cache
def secret_jceks() -> Path:
    """A JCEKS store with a secret key before its key pair."""
    path = folder() / "secret.jceks"
    opened = ["-keystore", str(path), "-storetype", "JCEKS", "-storepass", STORE_PASSWORD]
    _keytool("-genseckey", *opened, "-alias", "aaa", "-keyalg", "AES", "-keysize", "128")
    return path


def of_version(version: int, pem_file: Path) -> bytes:
    """Key and certificate of a PEM file, the certificate with a version that there is not."""
    data = pem_file.read_bytes()
    found = x509.load_pem_x509_certificate(data).public_bytes(Encoding.DER)
    marked = found.replace(bytes.fromhex("a003020102"), bytes([0xA0, 3, 2, 1, version]), 1)
    key = data[data.index(b"-----BEGIN PRIVATE KEY-----") :]
    return ssl.DER_cert_to_PEM_cert(marked).encode() + key

"""Certificates with their keys, and a plug-in that wraps, for tests of the wrapping key."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from adapters.keys import certificates
from broker.testing import NOW

KINDS = ("rsa", "p256", "p384")

PLUGIN = """
import asyncio
from adapters.keys.root_secret import RootSecret

class Hsm:
    def __init__(self, number=1):
        self._key = RootSecret(bytes([number]) * 32)
        self.id = f"hsm/{number}"
    async def wrap(self, key): return await self._key.wrap(key)
    async def unwrap(self, wrapped): return await self._key.unwrap(wrapped)

class Named(Hsm):
    def __init__(self, name):
        super().__init__()
        self.id = name

class Away(Hsm):
    async def unwrap(self, wrapped): raise ConnectionError("no route")
    def wrap(self, key): raise ConnectionError("no route")

class Mute(Hsm):
    async def unwrap(self, wrapped): await asyncio.Event().wait()
    async def wrap(self, key): return "text"

def hsm(): return Hsm()
def mute(): return Mute()
def other(): return Hsm(2)
def away(): return Away()
def half(): return object()
def borrowed(): return Named("root-secret/mine")
def wordy(): return Named("two words")
def failing(): raise RuntimeError("no licence")
"""


def private_key(kind: str) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey:
    if kind.startswith("rsa"):
        bits = int(kind.removeprefix("rsa") or 2048)
        return rsa.generate_private_key(public_exponent=65537, key_size=bits)
    curves = {"p256": ec.SECP256R1(), "p384": ec.SECP384R1(), "p521": ec.SECP521R1()}
    return ec.generate_private_key(curves[kind])


def pem_pair(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, passphrase: str = ""
) -> tuple[bytes, bytes]:
    """Certificate and private key."""
    protection = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection)
    return certificates.self_signed(key, "/", NOW), pem


def written_pair(folder: Path, name: str, kind: str = "p256", passphrase: str = "") -> None:
    """``NAME.pem`` and ``NAME.key`` in the folder."""
    certificate, key = pem_pair(private_key(kind), passphrase)
    (folder / f"{name}.pem").write_bytes(certificate)
    (folder / f"{name}.key").write_bytes(key)


def install_plugin(folder: Path, monkeypatch: pytest.MonkeyPatch, function: str = "hsm") -> None:
    """An installed distribution with the wrapper ``acme``, as pip would leave it."""
    (folder / "acme_wrapper.py").write_text(PLUGIN)
    info = folder / "acme_wrapper-1.0.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-wrapper\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[remint.wrappers]\nacme = acme_wrapper:{function}\n")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "acme_wrapper", raising=False)

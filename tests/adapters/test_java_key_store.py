"""JKS and JCEKS: what keytool wrote is read, and what is damaged or wrong is refused."""

from __future__ import annotations

import hashlib
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_der_private_key
from hypothesis import given
from hypothesis import strategies as st

from adapters.keys import java_key_store
from adapters.keys.java_key_store import UnreadableStore, WrongPassword
from tests.support import key_store_files as files

pytestmark = files.needs_keytool
KINDS = pytest.mark.parametrize("kind", ["jks", "jceks"])


@KINDS
def test_what_keytool_wrote(kind: str) -> None:
    """Every key, chain and certificate is there, each key under its own password."""
    found = java_key_store.read(files.java(kind).read_bytes(), files.STORE_PASSWORD)
    assert set(found.keys) == {files.RSA_ALIAS, files.EC_ALIAS, files.SMALL_ALIAS}
    der = found.private_key(files.RSA_ALIAS, files.STORE_PASSWORD)
    key = load_der_private_key(der, None)
    assert isinstance(key, rsa.RSAPrivateKey)
    other = load_der_private_key(found.private_key(files.EC_ALIAS, files.KEY_PASSWORD), None)
    assert isinstance(other, ec.EllipticCurvePrivateKey)
    [own] = found.chains[files.RSA_ALIAS]
    assert x509.load_der_x509_certificate(own).public_key() == key.public_key()
    partner = x509.load_pem_x509_certificate((files.folder() / "own.crt").read_bytes())
    assert found.certificates == {files.PARTNER_ALIAS: partner.public_bytes(Encoding.DER)}


@KINDS
@pytest.mark.parametrize("password", ["", "wrong", files.STORE_PASSWORD.upper()])
def test_wrong_password(kind: str, password: str) -> None:
    """A wrong password is told, of the store as of a key in it."""
    data = files.java(kind).read_bytes()
    with pytest.raises(WrongPassword):
        java_key_store.read(data, password)
    found = java_key_store.read(data, files.STORE_PASSWORD)
    with pytest.raises(WrongPassword):
        found.private_key(files.RSA_ALIAS, password)


@KINDS
def test_agrees_with_keytool(kind: str) -> None:
    """keytool sees the same aliases."""
    path = files.java(kind)
    listed = subprocess.run(
        ["keytool", "-list", "-keystore", path, "-storepass", files.STORE_PASSWORD],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout
    theirs = {line.partition(",")[0] for line in listed.splitlines() if "Entry," in line}
    found = java_key_store.read(path.read_bytes(), files.STORE_PASSWORD)
    assert theirs == {*found.keys, *found.certificates}


def test_secret_keys() -> None:
    """A store with secret keys is refused with what can be done about it."""
    with pytest.raises(UnreadableStore, match="importkeystore"):
        java_key_store.read(files.secret_jceks().read_bytes(), files.STORE_PASSWORD)


@KINDS
@given(data=st.data())
def test_damage(kind: str, data: st.DataObject) -> None:
    """A changed or cut file is refused, never half read."""
    whole = files.java(kind).read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    damaged = whole[:at] if data.draw(st.booleans()) else _changed(whole, at)
    with pytest.raises((WrongPassword, UnreadableStore)):
        java_key_store.read(damaged, files.STORE_PASSWORD)


@given(content=st.binary(max_size=200), magic=st.sampled_from([b"\xfe\xed\xfe\xed", b"\xce" * 4]))
def test_anything_under_a_good_digest(content: bytes, magic: bytes) -> None:
    """Whatever stands under a digest that holds, reading ends with a store or a clear refusal."""
    try:
        whole = magic + content
        # The digest as Sun defined it, so that reading gets past it.
        digest = hashlib.sha1("p".encode("utf-16-be") + b"Mighty Aphrodite" + whole).digest()  # noqa: S324
        found = java_key_store.read(whole + digest, "p")
        for alias in found.keys:
            found.private_key(alias, "p")
    except (WrongPassword, UnreadableStore):
        pass


def _changed(whole: bytes, at: int) -> bytes:
    return whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]


def test_wrong_password_whose_padding_fits() -> None:
    """A wrong password of a JCEKS key is told as one, also where what comes out seems padded."""
    once = bytes.fromhex("300d04080102030405060708020101")
    for number in range(2000):
        with pytest.raises(java_key_store.WrongPassword):
            java_key_store._from_triple_des(once, bytes(64), f"wrong {number}")

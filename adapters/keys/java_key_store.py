"""Reading Java's own key stores: JKS and JCEKS, as ``keytool`` writes them.

Both are a header, entries and a keyed SHA-1 digest of all of it. A private key in JKS is under
Sun's stream of SHA-1 digests, in JCEKS under triple DES with a key made by MD5; a certificate is in
the clear. Nothing is written here, and nobody should make new ones: the formats are weak, which is
why the files belong in a folder that only the broker reads.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.padding import PKCS7

JKS_MAGIC = b"\xfe\xed\xfe\xed"
JCEKS_MAGIC = b"\xce\xce\xce\xce"
VERSIONS = (1, 2)
DIGEST_BYTES = 20
WHITENER = b"Mighty Aphrodite"  # what Sun puts between password and content
MAX_ENTRIES = 1000
MAX_CHAIN = 32
MAX_ITERATIONS = 5_000_000  # Java's own limit for JCEKS

KEY, CERTIFICATE, SECRET_KEY = 1, 2, 3

_SUN_STREAM = bytes.fromhex("060a2b060104012a02110101")  # OID 1.3.6.1.4.1.42.2.17.1.1
_SUN_PBE = bytes.fromhex("06092b060104012a021301")  # OID 1.3.6.1.4.1.42.2.19.1
_SALT_BYTES = 8


class UnreadableStore(ValueError):
    """The file is none of these, or damaged; the sentence says which."""


class WrongPassword(ValueError):
    """The password of the store, or of a key in it."""


@dataclass(frozen=True, slots=True)
class JavaKeyStore:
    """Aliases are in lower case, as Java compares them. ``keys`` are still protected."""

    keys: Mapping[str, bytes] = field(repr=False)
    chains: Mapping[str, tuple[bytes, ...]]
    certificates: Mapping[str, bytes]

    def private_key(self, alias: str, password: str) -> bytes:
        """The key as PKCS #8 (RFC 5958). Raises WrongPassword, UnreadableStore, KeyError."""
        algorithm, parameters, protected = _encrypted_private_key_info(self.keys[alias])
        if algorithm == _SUN_STREAM:
            return _from_stream(protected, password)
        if algorithm == _SUN_PBE:
            return _from_triple_des(parameters, protected, password)
        raise UnreadableStore("a key in it is protected in a way that is not known here")


def read(data: bytes, password: str) -> JavaKeyStore:
    """The store in ``data``, whose digest is checked first.

    Raises WrongPassword (or damage: the digest does not tell them apart) and UnreadableStore.
    """
    content, digest = data[:-DIGEST_BYTES], data[-DIGEST_BYTES:]
    if not hmac.compare_digest(_digest(content, password), digest):
        raise WrongPassword("the password of the key store is wrong, or the file is damaged")
    return _Reader(content).store()


def _digest(content: bytes, password: str) -> bytes:
    return hashlib.sha1(_utf16(password) + WHITENER + content).digest()  # noqa: S324


class _Reader:
    """Big-endian numbers and counted strings, never beyond the end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def store(self) -> JavaKeyStore:
        if self._take(4) not in (JKS_MAGIC, JCEKS_MAGIC):
            raise UnreadableStore("this is no Java key store")
        version, count = self._number(), self._number()
        if version not in VERSIONS or count > MAX_ENTRIES:
            raise UnreadableStore(f"a Java key store of version {version}, {count} entries")
        keys: dict[str, bytes] = {}
        chains: dict[str, tuple[bytes, ...]] = {}
        certificates: dict[str, bytes] = {}
        for _ in range(count):
            tag, alias = self._number(), self._text().lower()
            self._take(8)  # when it was made
            if tag == KEY:
                keys[alias] = self._counted()
                chains[alias] = self._chain(version)
            elif tag == CERTIFICATE:
                certificates[alias] = self._certificate(version)
            elif tag == SECRET_KEY:
                raise UnreadableStore(
                    "it holds secret keys, whose form only Java reads; copy the key pairs out of "
                    "it: keytool -importkeystore -deststoretype PKCS12 -srcalias ALIAS"
                )
            else:
                raise UnreadableStore("an entry of it is of an unknown kind")
        return JavaKeyStore(keys, chains, certificates)

    def _chain(self, version: int) -> tuple[bytes, ...]:
        count = self._number()
        if count > MAX_CHAIN:
            raise UnreadableStore(f"a chain in it has more than {MAX_CHAIN} certificates")
        return tuple(self._certificate(version) for _ in range(count))

    def _certificate(self, version: int) -> bytes:
        if version > 1 and self._text() not in ("X.509", "X509"):
            raise UnreadableStore("a certificate in it is not X.509")
        return self._counted()

    def _counted(self) -> bytes:
        return self._take(self._number())

    def _text(self) -> str:
        (size,) = struct.unpack(">H", self._take(2))
        # Java's modified UTF-8 differs from UTF-8 in NUL and beyond the first plane only.
        return self._take(size).decode(errors="replace")

    def _number(self) -> int:
        (number,) = struct.unpack(">I", self._take(4))
        return int(number)

    def _take(self, size: int) -> bytes:
        found = self._data[self._at : self._at + size]
        if len(found) != size:
            raise UnreadableStore("it ends in the middle of an entry")
        self._at += size
        return found


# -- protected keys ------------------------------------------------------------------------------


def _from_stream(protected: bytes, password: str) -> bytes:
    """Sun's KeyProtector: salt, key under a stream of SHA-1 digests, digest of the key."""
    salt, digest = protected[:DIGEST_BYTES], protected[-DIGEST_BYTES:]
    covered = protected[DIGEST_BYTES:-DIGEST_BYTES]
    secret, block, stream = _utf16(password), salt, bytearray()
    while len(stream) < len(covered):
        block = hashlib.sha1(secret + block).digest()  # noqa: S324
        stream += block
    key = bytes(a ^ b for a, b in zip(covered, stream, strict=False))
    known = hashlib.sha1(secret + key).digest()  # noqa: S324
    if not hmac.compare_digest(known, digest):
        raise WrongPassword("the password of the key is wrong")
    return key


def _from_triple_des(parameters: bytes, protected: bytes, password: str) -> bytes:
    """PBEWithMD5AndTripleDES, JCEKS's own: two halves of the salt, hashed with the password."""
    _, inner, _ = _element(parameters, 0x30)
    _, salt, rest = _element(inner, 0x04)
    _, number, _ = _element(rest, 0x02)
    iterations = int.from_bytes(number, "big")
    if len(salt) != _SALT_BYTES or not 0 < iterations <= MAX_ITERATIONS:
        raise UnreadableStore("a key in it is protected in a way that is not known here")
    secret = bytes(ord(letter) & 0x7F for letter in password)
    halves = [_swapped(salt[:4]) if salt[:4] == salt[4:] else salt[:4], salt[4:]]
    derived = b"".join(_hashed(half, secret, iterations) for half in halves)
    cipher = Cipher(TripleDES(derived[:24]), modes.CBC(derived[24:])).decryptor()
    unpadder = PKCS7(64).unpadder()
    try:
        padded = cipher.update(protected) + cipher.finalize()
        key = unpadder.update(padded) + unpadder.finalize()
        # Under one wrong password in 256 the padding looks right, and what is left is no key.
        whole, _, _ = _element(key, 0x30)
    except ValueError:
        raise WrongPassword("the password of the key is wrong") from None
    if whole != key:
        raise WrongPassword("the password of the key is wrong")
    return key


def _swapped(half: bytes) -> bytes:
    """What Java does to the first half when both are equal: a swap with a slip, kept for good."""
    letters = bytearray(half)
    for index in range(2):
        letters[index], letters[2] = letters[3 - index], letters[index]
    return bytes(letters)


def _hashed(half: bytes, secret: bytes, iterations: int) -> bytes:
    found = half
    for _ in range(iterations):
        found = hashlib.md5(found + secret).digest()  # noqa: S324
    return found


def _encrypted_private_key_info(data: bytes) -> tuple[bytes, bytes, bytes]:
    """RFC 5958, section 3: (algorithm OID with its header, its parameters, what is encrypted)."""
    _, inner, _ = _element(data, 0x30)
    _, algorithm, rest = _element(inner, 0x30)
    whole, _, parameters = _element(algorithm, 0x06)
    _, protected, _ = _element(rest, 0x04)
    return whole, parameters, protected


def _element(data: bytes, tag: int) -> tuple[bytes, bytes, bytes]:
    """(the DER element at the start of ``data``, its content, what follows it)."""
    if len(data) < 2 or data[0] != tag:
        raise UnreadableStore("a key in it is no EncryptedPrivateKeyInfo")
    size, start = data[1], 2
    if size > 0x80:
        start += size - 0x80
        size = int.from_bytes(data[2:start], "big")
    end = start + size
    if size == 0x80 or end > len(data):
        raise UnreadableStore("a key in it is no EncryptedPrivateKeyInfo")
    return data[:end], data[start:end], data[end:]


def _utf16(password: str) -> bytes:
    return password.encode("utf-16-be")

"""Key-store files of instances: PEM, PKCS #12 (RFC 7292), JKS and JCEKS, below one folder.

An instance comes over HTTP, so a location is never a free path: it is relative to the realm's part
of the folder, and neither ``..`` nor a symbolic link leads out of it. A realm's part is the folder
of its name: an administrator of one realm must not sign with the keys of another. So only the root
realm, whose administrators rule all, names files in folders: those in a realm's are its sub realms.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from stat import S_ISREG
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
    load_pem_private_key,
    pkcs12,
)

from adapters.keys import java_key_store, private_keys
from adapters.keys.private_keys import PrivateKey
from broker.errors import InvalidRequest
from broker.instance import KeyStore
from broker.model import ROOT_REALM, Secret

MAX_FILE_BYTES = 1024 * 1024
MAX_PEM_BLOCKS = 64

MAX_PEM_BLOCK_BYTES = 20_000

_BEGIN = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----")

LOCATION, PASSWORD, ALIAS, KEY_PASSWORD = "location", "password", "alias", "key_password"
ALGORITHM = "algorithm"


class KeyStoreProblem(Exception):
    """A key store that cannot be used: which ``part`` of its description is wrong, and a sentence
    without any secret."""

    def __init__(self, part: str, sentence: str) -> None:
        super().__init__(sentence)
        self.part = part
        self.sentence = sentence


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A private key of a store, and the certificate that belongs to it (DER)."""

    key: PrivateKey
    certificate: bytes


@dataclass(frozen=True, slots=True)
class _Contents:
    """What stands in a file under an alias. Each raises KeyStoreProblem."""

    private_key: Callable[[str, Secret | None], tuple[Any, Sequence[bytes]]]
    certificate: Callable[[str], bytes]


def key_pair(folder: Path | None, realm: str, store: KeyStore, alias: str) -> KeyPair:
    """The key called ``alias``, of a kind and size that sign here. Raises KeyStoreProblem.

    Reads a file and derives keys from passwords: keep it off the event loop.
    """
    contents = _opened(folder, realm, store)
    found, certificates = contents.private_key(alias, store.key_password or store.password)
    try:
        key = private_keys.checked(found)
    except InvalidRequest as error:
        raise KeyStoreProblem(ALIAS, error.sentence) from None
    wanted = _spki(key)
    for der in certificates:
        if _spki_of(der) == wanted:
            return KeyPair(key, der)
    raise KeyStoreProblem(ALIAS, "the key store has no certificate for this key")


def certificate(folder: Path | None, realm: str, store: KeyStore, alias: str) -> bytes:
    """DER of the certificate called ``alias``, or of that of the key so called.

    Raises KeyStoreProblem. Keep it off the event loop as well.
    """
    return _opened(folder, realm, store).certificate(alias)


# -- the file ------------------------------------------------------------------------------------


def _opened(folder: Path | None, realm: str, store: KeyStore) -> _Contents:
    for part, secret in ((PASSWORD, store.password), (KEY_PASSWORD, store.key_password)):
        if secret is not None and "\0" in secret.reveal():
            raise KeyStoreProblem(part, "a password holds no NUL")  # readers end the text there
    data = _read(folder, realm, store.location)
    if data[:4] in (java_key_store.JKS_MAGIC, java_key_store.JCEKS_MAGIC):
        return _java(data, store)
    blocks = _pem_blocks(data)
    if blocks:
        return _pem(blocks, Path(store.location).stem)
    if data[:1] == b"\x30":
        return _pkcs12(data, store)
    raise KeyStoreProblem(LOCATION, "the file is neither PEM nor PKCS #12 nor JKS nor JCEKS")


def _read(folder: Path | None, realm: str, location: str) -> bytes:
    if folder is None:
        raise KeyStoreProblem(
            LOCATION, "this broker reads no key stores: the setting keys.keystore_dir names none"
        )
    parts = location.split("/")
    if not location.isprintable() or "\\" in location or {"", ".", ".."} & set(parts):
        raise KeyStoreProblem(
            LOCATION, "write a path relative to keys.keystore_dir, such as own.p12"
        )
    if realm != ROOT_REALM and len(parts) > 1:
        raise KeyStoreProblem(
            LOCATION, "name a file of the realm's own folder, without a folder before it"
        )
    top = os.path.realpath(folder / realm.removeprefix(ROOT_REALM))
    path = os.path.realpath(os.path.join(top, *parts))
    if os.path.commonpath([top, path]) != top:
        raise KeyStoreProblem(LOCATION, "the file is not below keys.keystore_dir")
    try:
        return _bounded(path)
    except OSError as error:
        why = error.strerror or "it cannot be read"
        below = f" of its folder {realm.removeprefix(ROOT_REALM)}" if realm != ROOT_REALM else ""
        raise KeyStoreProblem(
            LOCATION, f"the file cannot be read below keys.keystore_dir{below}: {why}"
        ) from None


def _bounded(path: str) -> bytes:
    # Not blocking: a named pipe would wait for its writer.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not S_ISREG(os.fstat(descriptor).st_mode):
            raise KeyStoreProblem(LOCATION, "this is no file")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            data = file.read(MAX_FILE_BYTES + 1)
    finally:
        os.close(descriptor)  # a file object that cannot be made of a folder would not
    if len(data) > MAX_FILE_BYTES:
        raise KeyStoreProblem(LOCATION, f"the file is longer than {MAX_FILE_BYTES} bytes")
    return data


# -- formats -------------------------------------------------------------------------------------


def _java(data: bytes, store: KeyStore) -> _Contents:
    password = store.password.reveal() if store.password else ""
    try:
        found = java_key_store.read(data, password)
    except java_key_store.WrongPassword as error:
        raise KeyStoreProblem(PASSWORD, str(error)) from None
    except java_key_store.UnreadableStore as error:
        raise KeyStoreProblem(LOCATION, f"the file cannot be read: {error}") from None

    def private_key(alias: str, key_password: Secret | None) -> tuple[Any, Sequence[bytes]]:
        if alias.lower() not in found.keys:
            raise _absent("key", sorted(found.keys))
        try:
            der = found.private_key(alias.lower(), key_password.reveal() if key_password else "")
        except java_key_store.WrongPassword as error:
            raise KeyStoreProblem(KEY_PASSWORD, str(error)) from None
        except java_key_store.UnreadableStore as error:
            raise KeyStoreProblem(LOCATION, f"the file cannot be read: {error}") from None
        return _loaded(lambda: load_der_private_key(der, None)), found.chains[alias.lower()]

    def one_certificate(alias: str) -> bytes:
        chain = found.chains.get(alias.lower(), ())
        der = found.certificates.get(alias.lower(), chain[0] if chain else None)
        if der is None:
            raise _absent("certificate", sorted({*found.certificates, *found.chains}))
        return der

    return _Contents(private_key, one_certificate)


def _pkcs12(data: bytes, store: KeyStore) -> _Contents:
    password = store.password.reveal().encode() if store.password else None
    try:
        found = pkcs12.load_pkcs12(data, password)
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion):
        raise KeyStoreProblem(
            PASSWORD, "the password is wrong, or the file is no PKCS #12 that can be read"
        ) from None
    all_of_it = [each for each in (found.cert, *found.additional_certs) if each is not None]
    named = {_name(each): each.certificate.public_bytes(Encoding.DER) for each in all_of_it}

    def private_key(alias: str, _: Secret | None) -> tuple[Any, Sequence[bytes]]:
        own = _name(found.cert) if found.cert is not None else ""
        if found.key is None or own not in ("", alias.lower()):
            # The library reads the first key of a file only.
            raise KeyStoreProblem(
                ALIAS,
                "the first key of the PKCS #12 file has another name; give each key a file "
                "of its own: keytool -importkeystore -srcalias ALIAS",
            )
        return found.key, list(named.values())

    def one_certificate(alias: str) -> bytes:
        if alias.lower() not in named:
            raise _absent("certificate", sorted(name for name in named if name))
        return named[alias.lower()]

    return _Contents(private_key, one_certificate)


def _name(found: pkcs12.PKCS12Certificate) -> str:
    return (found.friendly_name or b"").decode(errors="replace").lower()


def _pem_blocks(data: bytes) -> list[tuple[bytes, bytes]]:
    """The label of each block, and the block; in one pass, whatever the file holds."""
    found: list[tuple[bytes, bytes]] = []
    for begin in islice(_BEGIN.finditer(data), MAX_PEM_BLOCKS):
        mark = b"-----END " + begin[1] + b"-----"
        end = data.find(mark, begin.end(), begin.end() + MAX_PEM_BLOCK_BYTES)
        if end > begin.end():
            found.append((begin[1], data[begin.start() : end + len(mark)]))
    return found


def _pem(blocks: Sequence[tuple[bytes, bytes]], stem: str) -> _Contents:
    """PEM has no aliases: the one key and its certificate are called as the file."""
    keys = [block for kind, block in blocks if kind.endswith(b"PRIVATE KEY")]
    certificates = [_pem_certificate(block) for kind, block in blocks if kind == b"CERTIFICATE"]

    def check(alias: str, count: int, what: str) -> None:
        if alias != stem or count < 1:
            raise _absent(what, [stem] if count else [])

    def private_key(alias: str, key_password: Secret | None) -> tuple[Any, Sequence[bytes]]:
        check(alias, len(keys), "key")
        if len(keys) > 1:
            raise KeyStoreProblem(LOCATION, "the PEM file has several keys; give each its own file")
        return _pem_key(keys[0], key_password), certificates

    def one_certificate(alias: str) -> bytes:
        check(alias, len(certificates), "certificate")
        return certificates[0]

    return _Contents(private_key, one_certificate)


def _pem_key(block: bytes, password: Secret | None) -> Any:
    protected = b"ENCRYPTED" in block
    if protected and password is None:
        raise KeyStoreProblem(KEY_PASSWORD, "the key is encrypted and needs its password")
    secret = password.reveal().encode() if password and protected else None
    try:
        return load_pem_private_key(block, secret)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        part = KEY_PASSWORD if protected else LOCATION
        said = "the password of the key is wrong" if protected else "the key cannot be read"
        raise KeyStoreProblem(part, said) from None


def _pem_certificate(block: bytes) -> bytes:
    found: x509.Certificate = _loaded(lambda: x509.load_pem_x509_certificate(block))
    return found.public_bytes(Encoding.DER)


def _loaded(load: Callable[[], Any]) -> Any:
    try:
        return load()
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion):
        raise KeyStoreProblem(LOCATION, "a key or certificate in the file cannot be read") from None


def _absent(what: str, names: Sequence[str]) -> KeyStoreProblem:
    if not names:
        return KeyStoreProblem(ALIAS, f"the key store has no {what}")
    return KeyStoreProblem(
        ALIAS, f"the key store has no {what} of that name, but {', '.join(names)}"
    )


def _spki(key: PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _spki_of(der: bytes) -> bytes | None:
    try:
        found = x509.load_der_x509_certificate(der).public_key()
    except (ValueError, x509.InvalidVersion, UnsupportedAlgorithm):
        return None
    return found.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

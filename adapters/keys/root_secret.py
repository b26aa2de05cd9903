"""The deployment's one root secret, and what is derived from it.

Everything this deployment seals or hashes with a key uses a key derived here, so there is one
secret to keep, and a copy of the store is of no use without it.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from broker.model import Secret

ROOT_SECRET_BYTES = 32
ROOT_SECRET_FILE = "root-secret"  # noqa: S105 - the name of a file
MAX_FILE_BYTES = 1024
FINGERPRINT_PURPOSE = "store-fingerprint"

KEY_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16
SEAL_VERSION = b"\x01"


class RootSecretError(Exception):
    """The root secret cannot be read or written; the sentence says what to do, never its value."""


class SealBroken(Exception):
    """What was to be opened is not what was sealed: other bytes, another place, another key."""


class RootSecret:
    """The root secret itself, 32 bytes. It gives out derived keys and never shows itself."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        """Raises ValueError for any other number of bytes."""
        if len(key) != ROOT_SECRET_BYTES:
            raise ValueError(f"a root secret has {ROOT_SECRET_BYTES} bytes")
        self._key = key

    def derive(self, purpose: str) -> bytes:
        """The 32-byte key of one purpose, by HKDF with SHA-256 (RFC 5869), the purpose as info."""
        hkdf = HKDF(
            algorithm=SHA256(), length=KEY_BYTES, salt=None, info=b"remint/" + purpose.encode()
        )
        return hkdf.derive(self._key)

    @property
    def fingerprint(self) -> bytes:
        """A keyed digest by which a store knows its deployment again; it gives nothing away."""
        return self.derive(FINGERPRINT_PURPOSE)

    def __repr__(self) -> str:
        return "RootSecret(…)"


class Sealer:
    """Seals bytes for one place with AES-256-GCM (NIST SP 800-38D) and a random 96-bit nonce.

    ``context`` names the place and is authenticated with the bytes, so that a sealed value moved
    elsewhere does not open. Two of n seals under one key share their random nonce with a chance of
    about n²/2⁹⁷, which is 2⁻³³ after 2³² seals.
    """

    __slots__ = ("_cipher",)

    def __init__(self, key: bytes) -> None:
        """Raises ValueError unless ``key`` has 32 bytes."""
        if len(key) != KEY_BYTES:
            raise ValueError(f"a sealing key has {KEY_BYTES} bytes")
        self._cipher = AESGCM(key)

    def seal(self, plaintext: bytes, context: bytes) -> bytes:
        """Version byte, nonce, ciphertext and tag."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return SEAL_VERSION + nonce + self._cipher.encrypt(nonce, plaintext, SEAL_VERSION + context)

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """The plaintext; raises SealBroken."""
        head = len(SEAL_VERSION) + NONCE_BYTES
        if sealed[:1] != SEAL_VERSION or len(sealed) < head + TAG_BYTES:
            raise SealBroken("this is not a sealed value of a known version")
        nonce = sealed[len(SEAL_VERSION) : head]
        try:
            return self._cipher.decrypt(nonce, sealed[head:], SEAL_VERSION + context)
        except InvalidTag:
            raise SealBroken("the sealed value was changed, moved or sealed elsewhere") from None

    def __repr__(self) -> str:
        return "Sealer(…)"


def load_root_secret(state_dir: Path, given: Secret | None = None) -> RootSecret:
    """The root secret of the settings, else of ``state_dir``, made there at first start.

    Raises RootSecretError.
    """
    if given is not None:
        return _parsed(given.reveal(), "the root secret in the settings")
    path = state_dir / ROOT_SECRET_FILE
    with contextlib.suppress(FileNotFoundError):
        return _read(path)
    try:
        _create(path)
    except OSError as error:
        raise RootSecretError(f"cannot write {path}: {error.strerror}") from error
    return _read(path)


def _parsed(text: str, where: str) -> RootSecret:
    """Base64url (RFC 4648 section 5) with or without padding, or hexadecimal."""
    text = text.strip()
    try:
        if len(text) == 2 * ROOT_SECRET_BYTES:
            return RootSecret(bytes.fromhex(text))
        padded = text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4)
        return RootSecret(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, binascii.Error):
        # "from None": the cause would quote the text
        raise RootSecretError(
            f"{where} must be {ROOT_SECRET_BYTES} random bytes in base64url or hexadecimal"
        ) from None


def _read(path: Path) -> RootSecret:
    """Raises FileNotFoundError, and RootSecretError for a file that others can read."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(MAX_FILE_BYTES).decode("ascii", "replace")
    except FileNotFoundError:
        raise
    except OSError as error:
        raise RootSecretError(f"cannot read {path}: {error.strerror}") from error
    if mode & 0o077:
        raise RootSecretError(f"{path} can be read by others; give it mode 0600")
    return _parsed(text, str(path))


def _create(path: Path) -> None:
    """Write a new secret, unless another process was first.

    The file gets its name only once it is whole: the name is a hard link, which fails if the name
    is taken, so that processes that start at once end with the same secret.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    text = base64.urlsafe_b64encode(secrets.token_bytes(ROOT_SECRET_BYTES)) + b"\n"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

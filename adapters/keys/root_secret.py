"""The root secret of a deployment: the one secret to keep outside of the store.

It wraps the deployment key (``deployment``), from which everything else is derived that this
deployment seals or hashes with a key. So a copy of the store is of no use without it.
"""

from __future__ import annotations

import base64
import binascii
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
ID_PREFIX = "root-secret/"
NO_SECRET = ID_PREFIX + "none"
FINGERPRINT_PURPOSE = "store-fingerprint"
WRAPPING_PURPOSE = "wrapping"
WRAPPING_CONTEXT = b"deployment key"
ID_BYTES = 12

KEY_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16
SEAL_VERSION = b"\x01"


class WrappingKeyError(Exception):
    """A wrapping key cannot be used; the sentence says what to do, never a secret."""


class RootSecretError(WrappingKeyError):
    """The root secret cannot be read or written."""


class SealBroken(Exception):
    """What was to be opened is not what was sealed: other bytes, another place, another key."""


def derived(key: bytes, purpose: str) -> bytes:
    """The 32-byte key of one purpose, by HKDF with SHA-256 (RFC 5869), the purpose as info."""
    hkdf = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=b"remint/" + purpose.encode())
    return hkdf.derive(key)


class RootSecret:
    """The root secret itself, 32 bytes (port ``deployment.KeyWrapper``). It never shows itself."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        """Raises ValueError for any other number of bytes."""
        if len(key) != ROOT_SECRET_BYTES:
            raise ValueError(f"a root secret has {ROOT_SECRET_BYTES} bytes")
        self._key = key

    def derive(self, purpose: str) -> bytes:
        """The 32-byte key of one purpose."""
        return derived(self._key, purpose)

    @property
    def fingerprint(self) -> bytes:
        """A keyed digest by which a store knows its deployment again; it gives nothing away."""
        return self.derive(FINGERPRINT_PURPOSE)

    @property
    def id(self) -> str:
        text = base64.urlsafe_b64encode(self.fingerprint[:ID_BYTES]).decode().rstrip("=")
        return ID_PREFIX + text

    async def wrap(self, key: bytes) -> bytes:
        return Sealer(self.derive(WRAPPING_PURPOSE)).seal(key, WRAPPING_CONTEXT)

    async def unwrap(self, wrapped: bytes) -> bytes:
        """Raises SealBroken."""
        return Sealer(self.derive(WRAPPING_PURPOSE)).open(wrapped, WRAPPING_CONTEXT)

    def as_deployment_key(self) -> bytes:
        """Stores of schema version 1 derived everything from the root secret itself."""
        return self._key

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


class RootSecretFile:
    """The root secret in the state folder (port ``deployment.KeyWrapper``).

    Where there is none it is made by the first ``wrap``, which is when a store begins to depend on
    it, and not before: a broker that comes to a store of others needs theirs.
    """

    __slots__ = ("_made_here", "path")

    def __init__(self, state_dir: Path) -> None:
        self.path = state_dir / ROOT_SECRET_FILE
        self._made_here = False

    def found(self) -> RootSecret | None:
        """None where there is no file. Raises RootSecretError."""
        try:
            return _read(self.path)
        except FileNotFoundError:
            return None

    def made(self) -> RootSecret:
        """Made now if there is none; processes that ask at once get the same.

        Raises RootSecretError.
        """
        found = self.found()
        if found is None:
            try:
                self._made_here = _create(self.path)
            except OSError as error:
                raise RootSecretError(f"cannot write {self.path}: {error.strerror}") from error
            found = _read(self.path)
        return found

    def discard(self) -> None:
        """Take away what this object has made, once it is known that no store was opened by it."""
        if self._made_here:
            self.path.unlink(missing_ok=True)

    @property
    def id(self) -> str:
        """That of the secret; ``NO_SECRET`` as long as there is none."""
        found = self.found()
        return NO_SECRET if found is None else found.id

    async def wrap(self, key: bytes) -> bytes:
        return await self.made().wrap(key)

    async def unwrap(self, wrapped: bytes) -> bytes:
        """Raises SealBroken."""
        found = self.found()
        if found is None:
            raise SealBroken("there is no root secret yet")
        return await found.unwrap(wrapped)


def root_secret_from(given: Secret, where: str) -> RootSecret:
    """A root secret written as base64url (RFC 4648 section 5) with or without padding, or as
    hexadecimal. Raises RootSecretError, which says ``where`` and not what."""
    text = given.reveal().strip()
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
    return root_secret_from(Secret(text), str(path))


def _create(path: Path) -> bool:
    """Write a new secret; False if another process was first.

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
        os.link(draft, path)
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    _sync_folder(path.parent)
    return True


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

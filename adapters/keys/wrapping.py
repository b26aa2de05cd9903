"""Which wrapping keys the settings give: a plug-in's, a certificate's, or the root secret.

Exactly one of them is the present one, in that order. The others that are there too are those it
may take over from, so that a deployment moves from one to the next without a pause
(``deployment.opened`` adds the slot; docs/operating.md has the steps).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from importlib.metadata import entry_points
from pathlib import Path

from adapters.keys.certificate_wrapper import ID_PREFIX as CERTIFICATE_PREFIX
from adapters.keys.certificate_wrapper import CertificateWrapper
from adapters.keys.deployment import KeyWrapper
from adapters.keys.root_secret import (
    ID_PREFIX,
    RootSecretFile,
    SealBroken,
    WrappingKeyError,
    root_secret_from,
)
from adapters.settings import Settings, secret
from broker.errors import Unavailable
from broker.model import Secret

WRAPPER_GROUP = "remint.wrappers"
NEEDED = ("id", "wrap", "unwrap")
BUILT_IN = (ID_PREFIX, CERTIFICATE_PREFIX)
MAX_ID_LENGTH = 200
MAX_FILE_BYTES = 64 * 1024
PLUGIN_SECONDS = 30.0


def wrappers_of(settings: Settings) -> list[KeyWrapper]:
    """The present wrapping key, then those it may take over from.

    Nothing is written: a root secret that is not there yet is made once a store turns out to be
    new. Raises WrappingKeyError.
    """
    candidates: list[KeyWrapper] = []
    if settings.keys.wrapper:
        candidates.append(plugged_in(settings.keys.wrapper))
    if settings.keys.wrapping_certificate is not None or settings.keys.wrapping_key is not None:
        candidates.append(certificate_of(settings))
    candidates += _root_secrets(settings, present=not candidates)
    return candidates


def certificate_of(settings: Settings) -> CertificateWrapper:
    """The wrapping key of ``keys.wrapping_certificate``. Raises WrappingKeyError."""
    keys = settings.keys
    if keys.wrapping_certificate is None or keys.wrapping_key is None:
        raise WrappingKeyError("keys.wrapping_certificate and keys.wrapping_key go together")
    return certificate_in(
        keys.wrapping_certificate, keys.wrapping_key, secret(keys.wrapping_passphrase)
    )


def certificate_in(certificate: Path, key: Path, passphrase: Secret | None) -> CertificateWrapper:
    """The wrapping key in two PEM files. Raises WrappingKeyError, which names the file."""
    pem, key_pem = small_file(certificate), small_file(key)
    try:
        return CertificateWrapper(pem, key_pem, passphrase)
    except WrappingKeyError as error:
        raise WrappingKeyError(f"{certificate} with {key}: {error}") from None


def factory_of(name: str) -> Callable[[], KeyWrapper]:
    """The function of a plug-in that makes its wrapping key. Raises WrappingKeyError."""
    found = {point.name: point for point in entry_points(group=WRAPPER_GROUP)}
    if name not in found:
        known = ", ".join(sorted(found)) or "none"
        raise WrappingKeyError(f"there is no plug-in {name} in {WRAPPER_GROUP}; installed: {known}")
    try:
        factory: Callable[[], KeyWrapper] = found[name].load()
    except Exception as error:
        raise _unusable(name, error) from error
    return factory


def plugged_in(name: str) -> KeyWrapper:
    """The wrapping key that a plug-in makes: its entry point is a function of no arguments.

    Raises WrappingKeyError.
    """
    factory = factory_of(name)
    try:
        made = factory()
        missing = [member for member in NEEDED if not hasattr(made, member)]
        known_as = None if missing else made.id
    except Exception as error:
        raise _unusable(name, error) from error
    where = f"the plug-in {name} of {WRAPPER_GROUP}"
    if missing:
        raise WrappingKeyError(f"{where} made an object without {', '.join(missing)}")
    if not fits(known_as) or str(known_as).startswith(BUILT_IN):
        raise WrappingKeyError(
            f"{where} has an id that cannot be used: give it one word of at most {MAX_ID_LENGTH} "
            f"printable characters that does not begin with {' or '.join(BUILT_IN)}"
        )
    return PluggedIn(made)


def _unusable(name: str, error: Exception) -> WrappingKeyError:
    return WrappingKeyError(
        f"the plug-in {name} of {WRAPPER_GROUP} cannot be loaded: {type(error).__name__}: {error}"
    )


class PluggedIn:
    """A plug-in's wrapping key, held to the port: what goes wrong in it is a sentence, in time."""

    __slots__ = ("_made", "id")

    def __init__(self, made: KeyWrapper) -> None:
        self._made = made
        self.id = made.id

    async def wrap(self, key: bytes) -> bytes:
        """Raises Unavailable."""
        return await self._done(self._made.wrap, key)

    async def unwrap(self, wrapped: bytes) -> bytes:
        """Raises SealBroken, Unavailable."""
        return await self._done(self._made.unwrap, wrapped)

    async def _done(self, work: Callable[[bytes], Awaitable[bytes]], value: bytes) -> bytes:
        try:
            async with asyncio.timeout(PLUGIN_SECONDS):
                result = await work(value)
            if not isinstance(result, bytes):
                raise TypeError("it did not answer with bytes")
        except (SealBroken, Unavailable):
            raise
        except Exception as error:
            raise Unavailable(
                f"the wrapping key {self.id} cannot be used: {type(error).__name__}",
                detail=f"wrapping key: {error}",
            ) from error
        return result


def _root_secrets(settings: Settings, *, present: bool) -> Iterator[KeyWrapper]:
    """The root secrets there are; ``present`` also where one is still to be made."""
    given = secret(settings.keys.root_secret)
    previous = secret(settings.keys.previous_root_secret)
    file = RootSecretFile(settings.state_dir)
    if given is not None:
        yield root_secret_from(given, "keys.root_secret")
    elif present or file.path.exists():
        yield file
    if previous is not None:
        yield root_secret_from(previous, "keys.previous_root_secret")


def small_file(path: Path) -> bytes:
    """What is in a file of a key. Raises WrappingKeyError."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise WrappingKeyError(f"cannot read {path}: {error.strerror}") from None
    if len(data) > MAX_FILE_BYTES:
        raise WrappingKeyError(f"{path} is longer than {MAX_FILE_BYTES} bytes")
    return data


def fits(name: object) -> bool:
    """Whether this can be the id of a wrapping key: one printable word."""
    return (
        isinstance(name, str)
        and 0 < len(name) <= MAX_ID_LENGTH
        and name.isascii()
        and name.isprintable()
        and " " not in name
    )

"""What settings name, looked at before anything starts: files, URLs and secrets that must be right.

Nothing is opened that others use and nothing is changed: it can be asked beside a running broker.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from adapters.authentication import files as authentication_files
from adapters.certificates import files as authority_files
from adapters.directories import users
from adapters.instances import toml
from adapters.issuers import files as issuer_files
from adapters.keys.root_secret import RootSecretFile, WrappingKeyError, root_secret_from
from adapters.keys.wrapping import certificate_of, factory_of
from adapters.messages import requesters
from adapters.messages.dead_key import body_sealer
from adapters.mqtt.address import address
from adapters.server import CertificateUnusable, tls_context
from adapters.settings import Settings, secret
from adapters.settings_checks import warnings as settings_warnings
from adapters.stores import check_url
from broker.errors import InvalidInstance, InvalidRequest


def problems(settings: Settings) -> list[str]:
    """Every problem, each as a sentence that begins with its setting."""
    return list(_problems(settings))


def _problems(settings: Settings) -> Iterator[str]:
    yield from _said("store.url", lambda: check_url(settings.store_url))
    http = settings.http
    if http.tls_certificate and http.tls_key:  # else it has been said already
        yield from _said("http.tls", lambda: tls_context(settings))
    yield from _wrapping_keys(settings)
    file = settings.users.file
    if file is not None:
        yield from _said("users.file", lambda: users.read(file))
    trusted = settings.issuers.file
    if trusted is not None:
        yield from _said("issuers.file", lambda: issuer_files.read(trusted))
    authorities = settings.authorities.file
    if authorities is not None:
        yield from _said("authorities.file", lambda: authority_files.read(authorities))
    signers = settings.requesters.jwks_file
    if signers is not None:
        yield from _said("requesters.jwks_file", lambda: requesters.read(signers))
    logins = settings.authentication.file
    if logins is not None:
        yield from _said("authentication.file", lambda: authentication_files.read(logins))
    yield from _message_servers(settings)
    for path in settings.instances:
        yield from _said("instances", lambda path=path: toml.read(path))  # type: ignore[misc]  # bound now


def _message_servers(settings: Settings) -> Iterator[str]:
    """The files that matter where messages come in; no server is asked."""
    url = secret(settings.mqtt.url)
    if settings.amqp.url is not None or url is not None:
        yield from _said("amqp.dead_letter_key", lambda: body_sealer(settings.amqp.dead_letter_key))
    if url is not None:
        yield from _said("mqtt.ca_file", lambda: address(url, settings.mqtt.ca_file))


def _wrapping_keys(settings: Settings) -> Iterator[str]:
    """A plug-in is loaded and not called, since it may ask a KMS."""
    keys = settings.keys
    if keys.wrapper:
        yield from _said("keys.wrapper", lambda: factory_of(keys.wrapper))
    if keys.wrapping_certificate is not None or keys.wrapping_key is not None:
        yield from _said("keys.wrapping_certificate", lambda: certificate_of(settings))
    if secret(keys.root_secret) is None:
        yield from _said("keys.root_secret", RootSecretFile(settings.state_dir).found)
    for name in ("root_secret", "previous_root_secret"):
        given = secret(getattr(keys, name))
        if given is not None:
            where = f"keys.{name}"
            yield from _said(where, partial(root_secret_from, given, "it"))


def warnings(settings: Settings) -> list[str]:
    """What works but deserves a second look."""
    keys, found = settings.keys, settings_warnings(settings)
    if keys.wrapper and keys.wrapping_certificate is not None:
        found.append(
            "keys.wrapping_certificate: keys.wrapper wraps the deployment key in its place"
        )
    if (keys.wrapper or keys.wrapping_certificate is not None) and secret(keys.root_secret):
        found.append(
            "keys.root_secret: it still opens the store; remove it once all brokers use "
            f"{'keys.wrapper' if keys.wrapper else 'keys.wrapping_certificate'}"
        )
    return found


def _said(name: str, look: Callable[[], object]) -> Iterator[str]:
    try:
        look()
    except InvalidInstance as error:
        yield from (f"{name}: {key}: {said}" for key, said in error.problems)
    except OSError as error:
        path = f"{error.filename}: " if error.filename else ""
        yield f"{name}: {path}{error.strerror or error}"
    except (InvalidRequest, WrappingKeyError, CertificateUnusable, ValueError) as error:
        yield f"{name}: {str(error).removeprefix(f'{name}: ')}"

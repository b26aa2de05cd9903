"""What settings name, looked at before anything starts: files, URLs and secrets that must be right.

Nothing is opened that others use and nothing is changed: it can be asked beside a running broker.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from adapters.directories import users
from adapters.instances import toml
from adapters.keys.root_secret import ROOT_SECRET_FILE, RootSecretError, load_root_secret
from adapters.server import CertificateUnusable, tls_context
from adapters.settings import Settings, secret
from adapters.stores import check_url
from broker.errors import InvalidInstance, InvalidRequest


def problems(settings: Settings) -> list[str]:
    """Every problem, each as a sentence that begins with its setting."""
    return list(_problems(settings))


def _problems(settings: Settings) -> Iterator[str]:
    yield from _said("store.url", lambda: check_url(settings.store_url))
    yield from _said("http.tls", lambda: tls_context(settings))
    given = secret(settings.keys.root_secret)
    if given is not None or (settings.state_dir / ROOT_SECRET_FILE).exists():
        yield from _said("keys.root_secret", lambda: load_root_secret(settings.state_dir, given))
    file = settings.users.file
    if file is not None:
        yield from _said("users.file", lambda: users.read(file))
    for path in settings.instances:
        yield from _said("instances", lambda path=path: toml.read(path))  # type: ignore[misc]  # bound now


def _said(name: str, look: Callable[[], object]) -> Iterator[str]:
    try:
        look()
    except InvalidInstance as error:
        yield from (f"{name}: {key}: {said}" for key, said in error.problems)
    except (InvalidRequest, RootSecretError, CertificateUnusable, ValueError) as error:
        yield f"{name}: {error}"

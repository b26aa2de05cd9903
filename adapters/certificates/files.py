"""Certificate authorities from a TOML file.

::

    [[authority]]
    name = "partner"
    realm = "/"                          # optional
    anchors_file = "partner-root.pem"    # beside this file; or anchors, the PEM itself
    crl_files = ["partner.crl"]          # beside this file; read again when they change
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from adapters.certificates import draft
from adapters.certificates.directory import CertificateAuthorities
from adapters.certificates.draft import Draft
from adapters.certificates.pem import MAX_PEM_LENGTH
from adapters.toml_entries import entries
from broker.errors import InvalidRequest
from broker.model import normal_realm

INLINE = {"anchors_file": "anchors", "intermediates_file": "intermediates"}
"""Members that name a file, and those that hold its content afterwards."""


def read(path: Path) -> list[Draft]:
    """The authorities of a file. Raises InvalidRequest naming what is wrong."""
    return entries(path, "authority", lambda entry: _draft(entry, path.parent))


async def import_file(path: Path, authorities: CertificateAuthorities) -> int:
    """Put each authority of a file into the store, replacing namesakes; returns how many."""
    found = read(path)
    for authority in found:
        await authorities.load(authority.rules.realm, authority.document)
    return len(found)


def _draft(entry: Any, folder: Path) -> Draft:
    if not isinstance(entry, Mapping):
        raise InvalidRequest("write each authority under [[authority]]")
    state = dict(entry)
    realm = state.pop("realm", "/")
    if not isinstance(realm, str):
        raise InvalidRequest("realm is a string")
    for named, member in INLINE.items():
        if named in state:
            if member in state:
                raise InvalidRequest(f"write {member} or {named}, not both")
            state[member] = _text(folder, state.pop(named), named)
    files = state.get("crl_files")
    if isinstance(files, list) and all(isinstance(each, str) for each in files):
        state["crl_files"] = [str((folder / each).absolute()) for each in files]
    return draft.decoded(normal_realm(realm), state, any_file=True)


def _text(folder: Path, name: Any, member: str) -> str:
    """A file's text. Raises InvalidRequest."""
    if not isinstance(name, str) or not name:
        raise InvalidRequest(f"{member} is the name of a file")
    try:
        with (folder / name).open("rb") as file:
            return file.read(MAX_PEM_LENGTH + 1).decode("ascii")
    except OSError as error:
        raise InvalidRequest(f"{member}: {folder / name}: {error.strerror}") from None
    except ValueError:
        raise InvalidRequest(f"{member}: {folder / name} is not PEM") from None


def list_text(path: Path) -> str:
    """A revocation list in a file, DER or PEM, as PEM. Raises InvalidRequest."""
    try:
        with path.open("rb") as file:
            data = file.read(draft.MAX_CRL_TEXT + 1)
        if data.lstrip().startswith(b"-----BEGIN"):
            return data.decode("ascii")
        return x509.load_der_x509_crl(data).public_bytes(Encoding.PEM).decode()
    except OSError as error:
        raise InvalidRequest(f"{path}: {error.strerror}") from None
    except ValueError:
        raise InvalidRequest(f"{path} is no revocation list, in PEM or DER") from None

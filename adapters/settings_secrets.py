"""Secrets that stand in files: the ``…_FILE`` variables. Each secret is named by (section, key)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

PREFIX = "REMINT_"
FILE_SUFFIX = "_FILE"
MAX_SECRET_FILE_BYTES = 64 * 1024

SecretPath = tuple[str, ...]


def file_variables(paths: Iterable[SecretPath]) -> dict[str, SecretPath]:
    """The ``…_FILE`` variable of each secret."""
    return {
        f"{PREFIX}{section}__{key}{FILE_SUFFIX}".upper(): (section, key) for section, key in paths
    }


def secrets_in_files(paths: Iterable[SecretPath], environ: Mapping[str, str]) -> dict[str, Any]:
    """The secrets that ``…_FILE`` variables name; what cannot be read is left out."""
    found: dict[str, Any] = {}
    for variable, (section, key) in file_variables(paths).items():
        if environ.get(variable):
            with contextlib.suppress(OSError, ValueError):
                found.setdefault(section, {})[key] = _secret_in(Path(environ[variable]))
    return found


def unreadable_files(paths: Iterable[SecretPath], environ: Mapping[str, str]) -> list[str]:
    """What is wrong with the files that ``…_FILE`` variables name."""
    problems = []
    for variable in file_variables(paths):
        if environ.get(variable):
            path = Path(environ[variable])
            try:
                _secret_in(path)
            except OSError as error:
                problems.append(f"{variable}: {path}: {error.strerror}")
            except ValueError as error:
                problems.append(f"{variable}: {path}: {error}")
    return problems


def _secret_in(path: Path) -> str:
    """Raises OSError, and ValueError for a file that cannot be meant."""
    with path.open("rb") as file:
        data = file.read(MAX_SECRET_FILE_BYTES + 1)
    if len(data) > MAX_SECRET_FILE_BYTES:
        raise ValueError(f"the file is over {MAX_SECRET_FILE_BYTES} bytes")
    try:
        text = data.decode().strip()
    except UnicodeDecodeError:
        # "from None": the cause would quote the secret
        raise ValueError("the file is not UTF-8 text") from None
    if not text:
        raise ValueError("the file is empty")
    return text

"""What an installation needs is declared, and what is declared is needed."""

from __future__ import annotations

import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from typing import Any

import pytest

from tests.project.source import ROOMS, ROOT, imported, product_files

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = ("ldap", "kerberos", "bench", "otel")
LOCKS = ("requirements.lock", "requirements-dev.lock")
NODE_LOCKS = (
    "examples/clients/node/package-lock.json",
    "bench/peers/oidc_provider/package-lock.json",
)
HASHES = r"(\s+--hash=sha256:[0-9a-f]{64}( \\\n)?)+"
PINNED = re.compile(r"[a-z0-9.-]+==[^ ;]+( ;[^\\]+)? \\\n" + HASHES)


def test_every_import_is_declared() -> None:
    """A product file imports nothing that comes along only by chance."""
    declared = _names(PROJECT["dependencies"]) | {
        name for extra in EXTRAS for name in _names(PROJECT["optional-dependencies"][extra])
    }
    assert _imported_distributions() - declared == set()


def test_every_dependency_is_imported() -> None:
    """Nothing is installed with the product that it does not use."""
    assert _names(PROJECT["dependencies"]) - _imported_distributions() == set()


@pytest.mark.parametrize("lock", [*LOCKS, *NODE_LOCKS])
def test_lock_has_no_address(lock: str) -> None:
    """A lock file pins names and hashes; whoever installs chooses where packages come from."""
    text = (ROOT / lock).read_text()
    assert re.findall(r"://|^\s*--?(?!hash=)[a-z].*", text, re.MULTILINE) == []


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_pins_with_hashes(lock: str) -> None:
    """Every package that a lock file names has one exact version and at least one hash."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / lock).read_text(), flags=re.MULTILINE)
    entries = re.split(r"\n(?=\S)", text.strip())
    assert [entry for entry in entries if not PINNED.fullmatch(entry.rstrip())] == []


def test_locks_agree() -> None:
    """What is tested is what is deployed: both lock files pin the same versions."""
    deployed, tested = (_pins(ROOT / lock) for lock in LOCKS)
    assert deployed.items() <= tested.items()


def test_lock_is_up_to_date() -> None:
    """Every declared dependency is pinned; a new one asks for ``make lock``."""
    assert _names(PROJECT["dependencies"]) <= _pins(ROOT / LOCKS[0]).keys()
    assert _names(PROJECT["optional-dependencies"]["dev"]) <= _pins(ROOT / LOCKS[1]).keys()


def _normal(name: str) -> str:
    """A distribution's name in the one spelling that all its spellings share."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _names(requirements: list[str]) -> set[str]:
    return {_normal(re.split(r"[\[<>=!~; ]", line, maxsplit=1)[0]) for line in requirements}


def _imported_distributions() -> set[str]:
    """The distributions that product files import from, by the first part of each module."""
    own = sys.stdlib_module_names | set(ROOMS)
    modules = {name.split(".")[0] for path in product_files() for name in imported(path)} - own
    found = packages_distributions()
    return {_normal(name) for module in modules for name in found.get(module, [module])[:1]}


def _pins(lock: Any) -> dict[str, str]:
    return {
        _normal(name): version
        for name, version in re.findall(r"^([\w.-]+)==(\S+)", lock.read_text(), re.MULTILINE)
    }

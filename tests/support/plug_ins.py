"""Plug-ins as an installer leaves them: on the path, with the entry points of a distribution."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path

import pytest

from broker.plug_ins import ROLES

EXAMPLES = Path(__file__).parents[2] / "examples" / "plugins"
API_KEY = "k-0123456789abcdef0123456789abcdef"
SIGNING_SECRET = "a signing secret of the examples"


def installed(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    points: dict[str, dict[str, str]],
    name: str = "plug-ins-of-the-tests",
) -> None:
    """A distribution in ``folder`` with these entry points, by group."""
    info = folder / f"{name.replace('-', '_')}-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
    lines = []
    for group, named in points.items():
        lines += [f"[{group}]", *(f"{key} = {value}" for key, value in named.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    monkeypatch.syspath_prepend(str(folder))


def example_points() -> dict[str, dict[str, str]]:
    """The entry points that the examples declare, by group."""
    project = tomllib.loads((EXAMPLES / "pyproject.toml").read_text())["project"]
    points: dict[str, dict[str, str]] = project["entry-points"]
    return points


def example_problem(field: str, name: str) -> str | None:
    """For documents that name examples: whether there is one of that name and kind."""
    known = example_points().get(ROLES[field].group, {})
    return None if name in known else f"no example is called {name}"


def install_examples(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package of examples/plugins with the entry points of its own pyproject, and its files."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    installed(folder / "site", monkeypatch, example_points(), "remint-example-plugins")
    keys, secret = folder / "api-keys", folder / "signing-secret"
    keys.write_text(f"{hashlib.sha256(API_KEY.encode()).hexdigest()} robot-7\n")
    secret.write_text(SIGNING_SECRET)
    monkeypatch.setenv("EXAMPLE_API_KEYS", str(keys))
    monkeypatch.setenv("EXAMPLE_SIGNING_SECRET", str(secret))

"""What the pages say is what the broker does."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from adapters import codec
from adapters.settings import Section, Settings
from broker import errors

ROOT = Path(__file__).parents[2]


def _settings() -> list[str]:
    names = []
    for name, field in Settings.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Section):
            names += [f"{name}.{key}" for key in kind.model_fields]
        else:
            names.append(name)
    return names


def _errors() -> list[type[errors.RemintError]]:
    return [
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, errors.RemintError) and kind not in (errors.RemintError, errors.Refusal)
    ]


@pytest.mark.parametrize("name", _settings())
def test_every_setting_has_its_row(name: str) -> None:
    """Each setting stands in the table of configuration.md."""
    assert f"\n| `{name}` |" in (ROOT / "docs/configuration.md").read_text()


def test_no_row_names_a_setting_that_is_gone() -> None:
    """The table of configuration.md names settings that exist, and no others."""
    rows = re.findall(r"^\| `([a-z0-9_.]+)` \|", (ROOT / "docs/configuration.md").read_text(), re.M)
    assert sorted(rows) == sorted(_settings())


@pytest.mark.parametrize("kind", _errors(), ids=lambda kind: kind.__name__)
def test_every_error_has_its_code_and_its_row(kind: type[errors.RemintError]) -> None:
    """Each error maps to a code of the CREST table and stands in errors.md with it."""
    code = next(codec.STATUS[a] for a in kind.__mro__ if a in codec.STATUS)
    assert code in codec.REASONS
    assert f"\n| `{kind.__name__}` | {code} |" in (ROOT / "docs/errors.md").read_text()


@pytest.mark.parametrize(
    "page",
    [*sorted(ROOT.glob("docs/**/*.md")), ROOT / "README.md", ROOT / "bench/README.md"],
    ids=str,
)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    """Each relative link names a file of the repository, and its heading where it names one."""
    for target in re.findall(r"\]\((?!https?://)([^)]+)\)", page.read_text()):
        path, _, anchor = target.partition("#")
        linked = (page.parent / path) if path else page
        assert linked.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", linked.read_text(), re.M)
            assert anchor in [
                re.sub(r"[^a-z0-9 -]", "", h.lower()).replace(" ", "-") for h in headings
            ]

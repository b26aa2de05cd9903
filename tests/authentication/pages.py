"""The examples of the modules' pages."""

from __future__ import annotations

import re

from tests.project.source import ROOT


def snippets(page: str) -> list[str]:
    """The TOML of a page in docs/, in order."""
    found = re.findall(r"^```toml\n(.*?)^```$", (ROOT / "docs" / page).read_text(), re.M | re.S)
    assert found, page
    return found

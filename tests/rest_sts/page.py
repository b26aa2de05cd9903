"""`docs/rest-sts.md`, written from the rows. ``python -m tests.rest_sts`` brings it up to date."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests.rest_sts import (
    administration,
    contents,
    endpoints,
    keys,
    mistakes,
    mistakes_in_states,
    mistakes_in_tokens,
)
from tests.rest_sts.keys_oidc import OIDC
from tests.rest_sts.keys_saml2 import SAML2
from tests.rest_sts.rows import Row, Section

PAGE: Final = Path(__file__).parents[2] / "docs" / "rest-sts.md"

KEYS: Final = (keys.TOP, keys.DEPLOYMENT, SAML2, OIDC, keys.FLAT)
SECTIONS: Final = (
    endpoints.ENVELOPE,
    endpoints.ACTIONS,
    mistakes_in_states.STATES,
    mistakes_in_tokens.INPUTS,
    mistakes_in_tokens.ISSUING,
    mistakes.ENVELOPE,
    mistakes_in_states.PRESENTED,
    administration.TOKENS,
    administration.PUBLISH,
    *KEYS,
    contents.ASSERTIONS,
    contents.ID_TOKENS,
    contents.RECORDS,
    contents.CERTIFICATES,
)

HEAD: Final = """\
# The REST STS wire

What clients of the REST STS in ForgeRock and Ping Access Management (AM) know, row by row, and what
becomes of it here. Where AM's documentation and its open source disagree, the documentation counts.
A test stands behind each row. `python -m tests.rest_sts` writes this page.

- **supported**: as in AM.
- **better**: a successful exchange is AM's; the row says what differs.
- **refused**: the row says why.
- **our own**: AM has no such thing. Without it all is as in AM, or as the row says.

How to publish tells [instances](instances.md); each code of an error stands in [errors](errors.md).
"""


def page() -> str:
    """The text of the page."""
    return "\n".join([HEAD, *map(_section, SECTIONS)])


def _section(section: Section) -> str:
    with_status = any(row.status is not None for row in section.rows)
    head = ["what", *(["status"] if with_status else []), "here", "how"]
    lines = [f"## {section.title}", ""]
    if section.intro:
        lines += [section.intro, ""]
    lines += [_line(head), _line(["---"] * len(head))]
    lines += [_line(_cells(row, section, with_status)) for row in section.rows]
    return "\n".join(lines) + "\n"


def _cells(row: Row, section: Section, with_status: bool) -> list[str]:
    name = f"`{row.name}`" if section in KEYS and is_key(row) else row.name
    status = [str(row.status or "")] if with_status else []
    return [name, *status, str(row.verdict), row.note]


def is_key(row: Row) -> bool:
    """Whether the row's name is a key of a document, and not words about one."""
    return "`" not in row.name and " " not in row.name


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def write() -> None:
    """Bring the page up to date with the rows."""
    PAGE.write_text(page())

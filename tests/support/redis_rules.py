"""The rules of the broker's user, as docs/redis.md gives them to administrators."""

from __future__ import annotations

import re
from pathlib import Path

DOCUMENT = Path(__file__).parents[2] / "docs" / "redis.md"


def documented_cluster_rules() -> str:
    """The same, with what the document adds for a cluster."""
    found = re.search(r"In a cluster, add `([^`]+)`", DOCUMENT.read_text())
    if found is None:
        raise LookupError("docs/redis.md adds nothing for a cluster")
    return f"{documented_rules()} {found[1]}"


def documented_rules() -> str:
    """What follows the password in the documented ``ACL SETUSER``."""
    text = DOCUMENT.read_text()
    found = re.search(r"^ *ACL SETUSER remint on >PASSWORD ([^`]*?)\n *```", text, re.MULTILINE)
    if found is None:
        raise LookupError("docs/redis.md shows no ACL SETUSER")
    return " ".join(found[1].replace("\\\n", " ").split())

"""What others wrote, on a terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    """One line without what a terminal would obey: control characters, escapes and marks that
    turn the direction of writing, each shown as ``?``."""
    return "".join(each if each.isprintable() else "?" for each in text)

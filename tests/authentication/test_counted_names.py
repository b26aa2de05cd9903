"""Under which name a failed login is counted, however it was spelt."""

from __future__ import annotations

import pytest

from adapters.authentication.counting import folded


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ada", "ADA"),
        ("ada", " ada "),
        ("ada", "\uff21\uff44\uff41"),
        ("ada", "\u00e1d\u00e4"),
        ("ada", "a\u0301da\u0308"),
        ("ada", "a\u034fda"),
        ("ada", "ad\ufe00a"),
        ("ada", "a\u00adda"),
        ("Ada Lovelace", "ada  lovelace"),
        ("Ada Lovelace", "ADA\u2003LOVELACE"),
        ("+1 555 0100", "+15550100"),
        ("+1-555-0100", "+1555\u20100100"),
        ("uid=ada,ou=people", "UID = ada , OU=people"),
        ("stra\u00dfe", "STRASSE"),
    ],
)
def test_spellings_of_one_name(one: str, other: str) -> None:
    """What directories take for the same name has one count, or guesses would have no end."""
    assert folded(one) == folded(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("ada", "adam"), ("ada", "\u0430da"), ("ada", "corp\\ada"), ("\u0301", "\u0308"), ("-", "--")],
)
def test_names_of_two(one: str, other: str) -> None:
    """Others have counts of their own, those of overlooked characters alone among them."""
    assert folded(one) != folded(other)

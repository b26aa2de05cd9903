"""What a figure includes, told by whoever loads a server that somebody else started."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from bench.likeness import likeness_in
from bench.target import Likeness, NotPrepared

GIVEN = Likeness(*(f"word {number}" for number in range(8)))


def test_json_and_toml(tmp_path: Path) -> None:
    """Both forms give the same table; notes may be left out."""
    words = {name: value for name, value in asdict(GIVEN).items() if value}
    as_json, as_toml = tmp_path / "likeness.json", tmp_path / "likeness.toml"
    as_json.write_text(json.dumps(words))
    as_toml.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in words.items()))
    assert likeness_in(as_json) == likeness_in(as_toml) == GIVEN


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("input = ", "neither TOML"),
        ('input = "JWT"', "lacks output, client_authentication"),
        ('colour = "red"', "colour, which nobody knows"),
        ("input = 1", "a few words in quotes"),
        ("\0", "neither TOML"),
    ],
)
def test_refused(tmp_path: Path, text: str, words: str) -> None:
    """A file that is no such table is refused with what it must give."""
    path = tmp_path / "likeness.toml"
    path.write_text(text)
    with pytest.raises(NotPrepared, match=words):
        likeness_in(path)


def test_no_file(tmp_path: Path) -> None:
    """A file that is not there is named."""
    with pytest.raises(NotPrepared, match=r"none\.toml cannot be read"):
        likeness_in(tmp_path / "none.toml")

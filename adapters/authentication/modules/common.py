"""Parts that the documents of several kinds of module have."""

from __future__ import annotations

from pathlib import Path

from adapters.instances.members import Members
from broker.authentication import PASSWORD_PROMPT, USERNAME_PROMPT, Evidence, Prompt


def whole_within(members: Members, key: str, default: int, most: int) -> int:
    """A whole number from 1 to ``most``."""
    found = members.whole(key, default)
    if not 1 <= found <= most:
        members.wrong(key, f"write a whole number from 1 to {most}")
        return default
    return found


def flag_or(members: Members, key: str, default: bool) -> bool:
    """A flag that stands where nothing is said."""
    return members.flag(key) if members.given(key) else default


def file_inside(members: Members, key: str, folder: Path) -> Path | None:
    """A file below the folder of those that modules name, whatever the document says; None where
    none is named."""
    given = members.text(key)
    if not given:
        return None
    path = (folder / given).resolve()
    if not path.is_relative_to(folder.resolve()) or not path.is_file():
        members.wrong(key, "there is no such file in the folder of the authentication modules")
        return None
    return path


def missing(evidence: Evidence) -> tuple[Prompt, ...]:
    """What is to be asked of somebody who sent no name, no password, or neither."""
    given = ((USERNAME_PROMPT, evidence.username), (PASSWORD_PROMPT, evidence.password))
    return tuple(prompt for prompt, value in given if value is None)

"""The likeness table of a server that somebody else started, out of a file."""

from __future__ import annotations

import json
import tomllib
from dataclasses import MISSING, fields
from pathlib import Path

from bench.target import Likeness, NotPrepared


def likeness_in(path: Path) -> Likeness:
    """The fields of :class:`bench.target.Likeness` as TOML, or as JSON in a file named so.

    Raises NotPrepared.
    """
    try:
        text = path.read_text(encoding="utf-8")
        given = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except OSError:
        raise NotPrepared(f"the file {path} cannot be read") from None
    except ValueError as error:
        raise NotPrepared(f"{path} is neither TOML nor, as .json, JSON: {error}") from None
    names = [one.name for one in fields(Likeness)]
    if not isinstance(given, dict) or not all(isinstance(one, str) for one in given.values()):
        raise NotPrepared(f"{path} must give a few words in quotes for each of {', '.join(names)}")
    needed = [one.name for one in fields(Likeness) if one.default is MISSING]
    missing = [name for name in needed if not given.get(name)]
    unknown = sorted(set(given) - set(names))
    if missing or unknown:
        said = [f"lacks {', '.join(missing)}"] if missing else []
        said += [f"has {', '.join(unknown)}, which nobody knows"] if unknown else []
        raise NotPrepared(f"{path} {' and '.join(said)}")
    return Likeness(**given)

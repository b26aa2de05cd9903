"""The files in ``docs/schema``: one JSON Schema a body, the AsyncAPI and the OpenAPI document."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from adapters.http.openapi import document as openapi
from adapters.schema import asyncapi, bodies

FOLDER: Final = Path(__file__).parents[2] / "docs" / "schema"
ASYNCAPI: Final = "asyncapi.json"
OPENAPI: Final = "openapi.json"


def files() -> dict[str, str]:
    """The text of each file by its name."""
    documents: dict[str, Any] = {f"{name}.json": body for name, body in bodies.schemas().items()}
    documents[ASYNCAPI] = asyncapi.document()
    documents[OPENAPI] = openapi.document()
    return {name: json.dumps(value, indent=2) + "\n" for name, value in documents.items()}


def write(folder: Path = FOLDER) -> None:
    """Bring the files up to date with the code."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files().items():
        (folder / name).write_text(text)

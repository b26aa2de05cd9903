"""``python -m adapters.events`` writes ``docs/schema/events`` anew."""

import json
from pathlib import Path

from adapters.events.schemas import schemas

FOLDER = Path(__file__).parents[2] / "docs" / "schema" / "events"


def write(folder: Path = FOLDER) -> None:
    """Bring the files up to date with the code."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, schema in schemas().items():
        (folder / f"{name}.json").write_text(json.dumps(schema, indent=2) + "\n")


if __name__ == "__main__":
    write()

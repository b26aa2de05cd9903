"""What happened in a run, as JSON lines: one history for the callers and the nemesis."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class History:
    """Each line is an event with its time (seconds since the epoch) and what it was about."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("a", buffering=1)

    def note(self, what: str, **members: Any) -> None:
        self._file.write(json.dumps({"at": round(time.time(), 4), "what": what, **members}) + "\n")

    def close(self) -> None:
        self._file.close()

    def events(self) -> Iterator[dict[str, Any]]:
        """All lines so far, in order."""
        with self.path.open() as lines:
            yield from (json.loads(line) for line in lines)


def digest(body: bytes) -> str:
    """What stands in the history for the bytes of an answer."""
    return hashlib.sha256(body).hexdigest()

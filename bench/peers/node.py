"""What the peers from npm share: Node.js, and packages installed by their lock file."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from bench.peers.commands import absent, done

TOOLS = {"node": "Node.js, 22 or later (20 works too)", "npm": "npm, which comes with Node.js"}
MARK = "installed"


def missing(peer: str) -> str | None:
    """The sentence that names what is not here; None if all is."""
    return absent(peer, TOOLS)


def install(source: Path, target: Path) -> None:
    """Copy a package to ``target`` and fetch what its lock file names, unless that was done.

    Raises PeerFailed.
    """
    shutil.copytree(
        source, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("node_modules")
    )
    lock = hashlib.sha256((target / "package-lock.json").read_bytes()).hexdigest()
    mark = target / MARK
    if mark.exists() and mark.read_text() == lock:
        return
    mark.unlink(missing_ok=True)
    done("npm", "ci", "--ignore-scripts", "--omit=dev", folder=target, step="npm ci")
    mark.write_text(lock)

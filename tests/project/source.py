"""The product's own source, as the tests of its shape read it."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("adapters", "bench", "broker", "handlers")


def product_files(*rooms: str) -> list[Path]:
    """The Python files of the named rooms, or of all; sorted."""
    return sorted(path for room in rooms or ROOMS for path in (ROOT / room).rglob("*.py"))


@cache
def tree(path: Path) -> ast.Module:
    """The file, parsed."""
    return ast.parse(path.read_text(), filename=str(path))


def imported(path: Path) -> set[str]:
    """Full names of the modules that a file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def places(found: Callable[[ast.AST], bool], *rooms: str) -> list[str]:
    """``file:line`` of every node for which ``found`` holds."""
    return list(_places(found, product_files(*rooms)))


def _places(found: Callable[[ast.AST], bool], paths: list[Path]) -> Iterator[str]:
    for path in paths:
        for node in ast.walk(tree(path)):
            if found(node):
                yield f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"

"""The repository keeps its shape: the rooms, their limits, and what no product file may do."""

from __future__ import annotations

import ast
import sys

import broker.errors
from tests.project.source import ROOMS, ROOT, imported, places, product_files, tree

MAX_LINES = 500
UNSAFE_MODULES = {"dill", "imp", "marshal", "pickle", "shelve", "yaml"}
UNSAFE_CALLS = {"__import__", "compile", "eval", "exec"}
XML_PARSERS = {
    *("XML", "XMLID", "XMLParser", "XMLPullParser", "fromstring", "fromstringlist"),
    *("HTML", "HTMLParser", "ETCompatXMLParser", "iterparse", "parse", "parseid"),
}


def test_rooms() -> None:
    """The three rooms, the bench, the tests and the docs stand at the top, each room a package."""
    assert all((ROOT / folder).is_dir() for folder in (*ROOMS, "tests", "docs"))
    assert [room for room in ROOMS if not (ROOT / room / "__init__.py").is_file()] == []


def test_file_size() -> None:
    """No product file grows past what one sitting can read."""
    long = [path for path in product_files() if len(path.read_text().splitlines()) >= MAX_LINES]
    assert long == []


def test_module_docstrings() -> None:
    """Every product file says in its first lines what it is for."""
    silent = [path for path in product_files() if not ast.get_docstring(tree(path))]
    assert silent == []


def test_no_assert() -> None:
    """Product code never relies on a check that ``python -O`` removes."""
    assert places(lambda node: isinstance(node, ast.Assert)) == []


def test_no_unsafe_module() -> None:
    """No product file imports what runs code while it reads data."""
    unsafe = [
        path
        for path in product_files()
        if UNSAFE_MODULES & {name.split(".")[0] for name in imported(path)}
    ]
    assert unsafe == []


def test_no_unsafe_call() -> None:
    """No product file turns text into code."""
    assert places(lambda node: _called(node) in UNSAFE_CALLS) == []


def test_one_xml_entry_point() -> None:
    """XML is parsed in one file, so that its limits stand in one place."""
    found = {place.rpartition(":")[0] for place in places(_parses_xml)}
    assert found == {"handlers/saml2/reader.py"}


def test_no_other_xml_library() -> None:
    """Only lxml reads XML: two parsers can see two documents."""
    others = {"defusedxml", "html5lib", "xml", "xmltodict"}
    users = [
        path for path in product_files() if others & {name.split(".")[0] for name in imported(path)}
    ]
    assert users == []


def test_core_is_standard_library() -> None:
    """The core imports the standard library and itself, nothing that is installed."""
    allowed = sys.stdlib_module_names | {"broker"}
    strangers = {
        name.split(".")[0] for path in product_files("broker") for name in imported(path)
    } - allowed
    assert strangers == set()


def test_errors_are_drawn() -> None:
    """The tree in the docstring of ``broker.errors`` is the tree of its classes."""
    classes = {
        name: error.__bases__[0].__name__
        for name, error in vars(broker.errors).items()
        if isinstance(error, type) and issubclass(error, Exception)
    }
    assert _drawn(broker.errors.__doc__ or "") == {**classes, "RemintError": ""}


def _called(node: ast.AST) -> str | None:
    """The name that a call calls, where it is a plain name."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return node.func.id
    return None


def _parses_xml(node: ast.AST) -> bool:
    """``etree.fromstring`` and its like, or their import by name."""
    if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("lxml."):
        return any(alias.name in XML_PARSERS for alias in node.names)
    return (
        isinstance(node, ast.Attribute)
        and node.attr in XML_PARSERS
        and isinstance(node.value, ast.Name | ast.Attribute)
        and ast.unparse(node.value).split(".")[-1] == "etree"
    )


def _drawn(docstring: str) -> dict[str, str]:
    """Class to the class above it, out of a tree of ├── and └──; the root is above nobody's."""
    parents: dict[str, str] = {}
    above: list[tuple[int, str]] = [(-1, "")]
    for line in docstring.splitlines():
        drawn = line.lstrip(" │├└─")
        depth = len(line) - len(drawn)
        if not drawn or (depth < 1 or not line.startswith("    ")):
            continue
        while above[-1][0] >= depth:
            above.pop()
        name = drawn.split()[0]
        parents[name] = above[-1][1]
        above.append((depth, name))
    return parents

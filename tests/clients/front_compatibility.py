"""What of an OpenAPI document was taken away from those who rely on it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.clients.compatibility import broken

Document = dict[str, Any]

METHODS = ("get", "put", "post", "delete", "patch")
SCHEMAS = "#/components/schemas/"


def broken_front(old: Document, new: Document) -> Iterator[str]:
    """Each incompatible change: of what can be asked, of parameters, of bodies."""
    for path, item in old["paths"].items():
        for method in METHODS:
            if method not in item:
                continue
            found = new["paths"].get(path, {})
            if method in found:
                yield from _operation(f"{method} {path}", item[method], found[method])
                before, after = _parameters(old, path, method), _parameters(new, path, method)
                yield from _parameter_changes(f"{method} {path}", before, after)
            else:
                yield f"{method} {path}: removed"
    yield from _bodies(old, new)


def _operation(title: str, old: Document, new: Document) -> Iterator[str]:
    for status, answer in old["responses"].items():
        if status.startswith("2") and status not in new["responses"]:
            yield f"{title}: no {status}"
        elif status.startswith("2") and "x-actions" not in old:
            yield from _same(f"{title} {status}", answer["content"], new["responses"][status])
    for action, said in old.get("x-actions", {}).items():
        found = new.get("x-actions", {}).get(action)
        if found is None:
            yield f"{title} {action}: removed"
            continue
        for part in ("request", "responses"):
            if said.get(part) != found.get(part):
                yield f"{title} {action}: another {part}"


def _same(title: str, content: Document, answer: Document) -> Iterator[str]:
    for media, said in content.items():
        if answer["content"].get(media, {}).get("schema") != said["schema"]:
            yield f"{title}: another body"


def _parameters(document: Document, path: str, method: str) -> dict[tuple[str, str], Document]:
    item = document["paths"][path]
    found = {}
    for each in [*item.get("parameters", []), *item[method].get("parameters", [])]:
        name = each.get("$ref", "").rpartition("/")[2]
        parameter = document["components"]["parameters"][name] if name else each
        found[parameter["in"], parameter["name"]] = parameter
    return found


def _parameter_changes(title: str, old: Any, new: Any) -> Iterator[str]:
    for key, parameter in old.items():
        if key in new:
            place = f"{title} {key[1]}"
            yield from broken(parameter["schema"], new[key]["schema"], place, answer=False)
        else:
            yield f"{title} {key[1]}: removed"
    needed = {key for key, each in new.items() if each.get("required")}
    before = {key for key, each in old.items() if each.get("required")}
    yield from (f"{title} {key[1]}: now required" for key in sorted(needed - before))


def _bodies(old: Document, new: Document) -> Iterator[str]:
    """Each named schema, in the direction or directions in which it travels."""
    requests, answers = _travelling(old)
    for names, answer in ((requests, False), (answers, True)):
        for name in sorted(names):
            before, after = old["components"]["schemas"][name], new["components"]["schemas"]
            if name in after:
                yield from broken(before, after[name], name, answer=answer)
            else:
                yield f"{name}: removed"


def _travelling(document: Document) -> tuple[set[str], set[str]]:
    operations = [
        item[method] for item in document["paths"].values() for method in METHODS if method in item
    ]
    components = document["components"]
    requests = _named(components, [each.get("requestBody", {}) for each in operations])
    answers = [each["responses"] for each in operations]
    return requests, _named(components, [*answers, components["responses"]])


def _named(components: Document, value: Any) -> set[str]:
    """The schemas that a part refers to, and those that they refer to in turn."""
    found, left = set(), list(_references(value))
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += _references(components["schemas"][name])
    return found


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        reference = value.get("$ref")
        if isinstance(reference, str) and reference.startswith(SCHEMAS):
            yield reference.removeprefix(SCHEMAS)
        for child in value.values():
            yield from _references(child)
    elif isinstance(value, list):
        for child in value:
            yield from _references(child)

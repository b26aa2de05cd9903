"""An OpenAPI document as somebody reads it who has nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from jsonschema import Draft202012Validator

METHODS = ("get", "put", "post", "delete", "patch")
SCHEMAS = "#/components/schemas/"


@dataclass(frozen=True)
class Asked:
    """One thing to ask: an operation, one of its actions, and one of its examples."""

    path: str
    method: str
    operation: Mapping[str, Any] = field(repr=False)
    action: str | None = None
    example: str | None = None

    @property
    def title(self) -> str:
        words = (self.method, self.path, self.action, self.example)
        return " ".join(word for word in words if word)

    @property
    def body(self) -> Any:
        """That of the example; None for a request without one."""
        if self.example is None:
            return None
        [content] = self.operation["requestBody"]["content"].values()
        return content["examples"][self.example]["value"]

    @property
    def takes(self) -> Mapping[str, Any]:
        """The schema of the body."""
        if self.action is not None:
            return self.operation["x-actions"][self.action]["request"]["schema"]
        [content] = self.operation["requestBody"]["content"].values()
        return content["schema"]

    @property
    def statuses(self) -> list[int]:
        """Of success."""
        named = self.operation["responses"]
        if self.action is not None:
            named = self.operation["x-actions"][self.action]["responses"]
        return [int(status) for status in named if status[0] == "2"]

    def gives(self, status: int) -> tuple[str, Mapping[str, Any]]:
        """Media type and schema of an answer."""
        [(media, content)] = self.operation["responses"][str(status)]["content"].items()
        if self.action is not None:
            return media, self.operation["x-actions"][self.action]["responses"][str(status)]
        return media, content["schema"]

    @property
    def security(self) -> list[Mapping[str, list[str]]]:
        """What the caller has to show: one of these."""
        actions = self.operation.get("x-actions", {})
        found: list[Mapping[str, list[str]]] = actions.get(self.action, {}).get(
            "security", self.operation["security"]
        )
        return found

    @property
    def roles(self) -> list[str] | None:
        """What the caller's session needs; None where no session is read."""
        found = [each["session"] for each in self.security if "session" in each]
        return found[0] if found else None


class Description:
    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document
        self.components = document["components"]

    def operations(self) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
        """Path, method and operation, in the order of the document."""
        for path, item in self.document["paths"].items():
            for method, operation in item.items():
                if method in METHODS:
                    yield path, method, operation

    def asked(self) -> Iterator[Asked]:
        """Everything there is to ask: with each example, and with no body where none is needed."""
        for path, method, operation in self.operations():
            actions = operation.get("x-actions", {None: {}})
            for action, said in actions.items():
                examples = said.get("examples", _examples(operation) if action is None else [])
                for example in examples:
                    yield Asked(path, method, operation, action, example)
                body = said.get("request") if action else operation.get("requestBody")
                if not (body or {}).get("required"):
                    yield Asked(path, method, operation, action)

    def parameters(self, path: str, operation: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        """Those of the operation and of its path."""
        common = self.document["paths"][path].get("parameters", [])
        for each in [*common, *operation["parameters"]]:
            reference = each.get("$ref")
            yield self.components["parameters"][reference.rpartition("/")[2]] if reference else each

    def mismatches(self, schema: Mapping[str, Any], value: Any) -> list[str]:
        """Where a value does not fit a schema of the document."""
        whole = {**schema, "components": self.components}
        return [
            f"{error.json_path}: {error.message}"
            for error in Draft202012Validator(whole).iter_errors(value)
        ]

    def unsaid(self, schema: Mapping[str, Any], value: Any) -> set[str]:
        """Members of an answer that its schema does not name."""
        name = schema.get("$ref", "").removeprefix(SCHEMAS)
        found = self.components["schemas"].get(name, schema)
        if "properties" not in found or "additionalProperties" in found:
            return set()
        return set(value) - set(found["properties"])


def _examples(operation: Mapping[str, Any]) -> list[str]:
    contents = operation.get("requestBody", {}).get("content", {}).values()
    return [name for content in contents for name in content.get("examples", {})]


def filled(path: str) -> str:
    """A path with something in the place of each parameter."""
    return re.sub(r"\{[^}]+\}", "x", path)


def references(value: Any) -> Iterator[str]:
    """Everything that a part of the document refers to."""
    if isinstance(value, Mapping):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for child in value.values():
            yield from references(child)
    elif isinstance(value, list):
        for child in value:
            yield from references(child)

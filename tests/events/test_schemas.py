"""The schemas in ``docs/schema/events``: those of the code, kept by every event, and compatible."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

from adapters.events.__main__ import FOLDER
from adapters.events.schemas import schemas
from broker.events import Event
from tests.events.compatibility import incompatible
from tests.events.judging import check
from tests.events.samples import SAMPLES, a_writer, written
from tests.project.source import ROOT

NAMES = sorted(schemas())
TRACE = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}


def _file(name: str) -> Path:
    return FOLDER / f"{name}.json"


def _committed(name: str) -> Any | None:
    """The schema as it was committed last; None where there is no history, or no such file."""
    shown = subprocess.run(
        ["git", "-C", str(ROOT), "show", f"HEAD:{_file(name).relative_to(ROOT)}"],
        capture_output=True,
        check=False,
    )
    return json.loads(shown.stdout) if shown.returncode == 0 else None


@pytest.mark.parametrize("name", NAMES)
def test_files_are_those_of_the_code(name: str) -> None:
    """Each file says what the code says; ``python -m adapters.events`` writes them."""
    assert json.loads(_file(name).read_text()) == json.loads(json.dumps(schemas()[name]))


def test_no_file_is_left_over() -> None:
    """There is no file of a type that is gone."""
    assert sorted(path.stem for path in FOLDER.iterdir()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_schemas_stay_compatible(name: str) -> None:
    """Nobody who relies on a schema is let down by its next one under the same id."""
    before = _committed(name) or json.loads(_file(name).read_text())
    assert incompatible(before, schemas()[name]) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"properties": {"a": {"type": "string"}}}, "b is gone"),
        (
            {"properties": {"a": {"type": "integer"}, "b": {"type": "string"}}},
            "a has another type",
        ),
        ({"required": []}, "a may be missing"),
        ({"required": ["a", "b"]}, "b is required"),
        ({"type": "array"}, "the whole has another type"),
    ],
)
def test_incompatible_changes_are_found(change: dict[str, Any], problem: str) -> None:
    """A member that is gone, retyped or required anew is found, unless the id is a new one."""
    before = {
        "$id": "urn:x:1",
        "type": "object",
        "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
        "required": ["a"],
    }
    assert incompatible(before, before) == []
    assert incompatible(before, {**before, **change}) == [problem]
    assert incompatible(before, {**before, **change, "$id": "urn:x:2"}) == []


def test_added_members_are_compatible() -> None:
    """A schema may say more than it did."""
    before = {"$id": "urn:x:1", "type": "object", "properties": {}, "required": []}
    after = {**before, "properties": {"a": {"type": "string"}}}
    assert incompatible(before, after) == []


@pytest.mark.parametrize("event", SAMPLES, ids=lambda event: type(event).__name__)
def test_events_keep_their_schemas(event: Event) -> None:
    """Every type of event is valid against the schema of CloudEvents and that of its data."""
    announcement = a_writer().announcement(event, trace=TRACE)
    check(written(announcement))


@pytest.mark.parametrize("name", NAMES)
def test_schemas_are_schemas(name: str) -> None:
    """Each is valid against its own dialect, and refuses what lacks a required member."""
    schema = schemas()[name]
    Draft202012Validator.check_schema(schema)
    with pytest.raises(ValidationError):
        Draft202012Validator(schema).validate({})

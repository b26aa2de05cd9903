"""What docs/schema promises is what the broker takes and gives, and stays so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator, Draft202012Validator
from jsonschema.protocols import Validator

from adapters.amqp import topology
from adapters.messages.asked import OPERATIONS
from adapters.schema import asyncapi, bodies, files, states
from handlers.saml2.names import CONFIRMATION_METHODS
from tests.amqp.caller import Caller, translation
from tests.http import rows_presented, rows_translate
from tests.http.rows import Row, translate
from tests.support.door import ASSERTION, ELEMENT, ID_TOKEN, Door, session_input, user_input

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

SCHEMAS = bodies.schemas()
REQUESTS = sorted(bodies.ANSWERS)
ANSWERS = sorted(set(SCHEMAS) - set(REQUESTS))

ROWS = [
    *rows_translate.STATES,
    *rows_translate.MISSING_STATES,
    *rows_translate.TOKEN_TYPES,
    *rows_translate.INPUTS,
    *rows_translate.OUTPUTS,
    *rows_presented.PRESENTED,
    *rows_presented.NO_ERRORS,
    translate("a password for an ID token", 200, user_input(), ID_TOKEN),
    translate("a session for an assertion", 200, session_input("AQIC5"), ASSERTION),
    translate("members that nobody knows", 200, {**user_input(), "more": 1}, ID_TOKEN),
    translate("a type of a plug-in", 200, {"token_type": "OPAQUE"}, {"token_type": "OPAQUE"}),
]

# What is wrong with these is known to the instance, or found in text that a schema does not read.
ONLY_THE_BROKER_KNOWS = (
    "token_type in lower case",
    "type unknown",
    "pair not enabled",
    "input as output",
    "output as input",
    "enabled but not read here",
    "certificate",
    "HOLDER_OF_KEY without",
    "at issue",
    "root element",
    "namespace",
    "Assertion",
    "assertion",
    "Encrypted",
    "CipherData",
    "type USERNAME",
    "type OPENAM",
    "never issues",
    "instance",
)


def _read(path: Path) -> Any:
    return json.loads(path.read_text())


def _validator(name: str) -> Validator:
    return Draft202012Validator(SCHEMAS[name])


@pytest.mark.parametrize("name", sorted(files.files()))
def test_files_are_up_to_date(name: str) -> None:
    """Each file in docs/schema is what the code makes; after a change, run make schema."""
    assert (ROOT / "docs" / "schema" / name).read_text() == files.files()[name]


def test_no_file_is_left_over() -> None:
    """docs/schema holds no schema that the code does not make."""
    assert {path.name for path in files.FOLDER.glob("*.json")} == set(files.files())


def test_written(tmp_path: Path) -> None:
    """The files are written where one says, with what the code makes."""
    files.write(tmp_path / "schema")
    assert {p.name: p.read_text() for p in (tmp_path / "schema").iterdir()} == files.files()


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_each_is_a_schema(name: str) -> None:
    """Each schema is one by the rules of draft 2020-12."""
    Draft202012Validator.check_schema(SCHEMAS[name])


def test_asyncapi_is_one() -> None:
    """The document keeps the rules of AsyncAPI 3.0, as its authors' own schema has them."""
    official = Draft7Validator(_read(HERE / "asyncapi" / "3.0.0.json"))
    assert [error.message for error in official.iter_errors(asyncapi.document())] == []


def test_references_lead_somewhere() -> None:
    """Each reference of the document names something in it."""
    document = asyncapi.document()
    lost = []
    for reference in _references(document):
        found: Any = document
        for part in reference.removeprefix("#/").split("/"):
            found = found.get(part) if isinstance(found, dict) else None
        if found is None:
            lost.append(reference)
    assert lost == []


def test_every_operation_is_described() -> None:
    """Whatever a message may ask for is described, on both kinds of message servers."""
    described = asyncapi.document()["operations"]
    for prefix in ("amqp.", "mqtt."):
        assert {n.removeprefix(prefix) for n in described if n.startswith(prefix)} >= OPERATIONS


def test_every_queue_is_described() -> None:
    """Each queue and exchange that the broker declares has its channel, but for its own one."""
    described = {channel["address"] for channel in asyncapi.document()["channels"].values()}
    assert {*topology.QUEUES, *topology.EXCHANGES} - described == {topology.EXPIRED}


def test_confirmation_methods() -> None:
    """The schema knows the confirmation methods that assertions are issued with."""
    assert set(states.CONFIRMATION_METHODS) == set(CONFIRMATION_METHODS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.title)
def test_what_the_broker_takes(row: Row) -> None:
    """A body that the broker takes fits its schema; one that it calls malformed does not, where a
    schema can tell."""
    name = row.query.removeprefix("_action=")
    body = row.body if row.body is None else {"instance": ELEMENT, **row.body}
    fits = _validator(name).is_valid(body)
    if row.status == 409:
        return  # the instance refuses, before anybody looks at the state
    if row.status != 400:
        assert fits
    elif not any(words in row.title for words in ONLY_THE_BROKER_KNOWS):
        assert not fits


@pytest.mark.parametrize(
    "instance",
    [None, 7, "", "/", "//", "x" * 1025, ["x"]],
    ids=["none", "number", "empty", "slash", "slashes", "too long", "list"],
)
def test_instances_that_are_none(instance: Any) -> None:
    """An instance is named by text that is not slashes alone, up to its limit."""
    body = {"input_token_state": user_input(), "output_token_state": ID_TOKEN}
    named = body if instance is None else {**body, "instance": instance}
    assert not _validator("translate").is_valid(named)


@pytest.mark.parametrize(
    ("parts", "fits"),
    [(0, False), (1, True), (1000, True), (1001, False)],
)
def test_batches(parts: int, fits: bool) -> None:
    """A batch has 1 to 1,000 parts."""
    part = {"input_token_state": user_input(), "output_token_state": ID_TOKEN}
    body = {"instance": ELEMENT, "requests": [part] * parts}
    assert _validator("translate.batch").is_valid(body) is fits


async def test_what_the_broker_gives(door: Door) -> None:
    """The answers of a broker fit their schemas, and none fits another's."""
    issued = (await door.translate(user_input(), ID_TOKEN)).body
    state = {"token_type": "OPENIDCONNECT", "oidc_id_token": issued["issued_token"]}
    batch = {
        "requests": [
            {"input_token_state": given, "output_token_state": ID_TOKEN}
            for given in (user_input(), user_input(password="wrong"))
        ]
    }
    path = f"/rest-sts/{ELEMENT}?_action=translate_batch"
    given = {
        bodies.ANSWER: issued,
        bodies.VALIDATE_ANSWER: (await door.validate(state)).body,
        bodies.CANCEL_ANSWER: (await door.cancel(state)).body,
        bodies.ERROR: (await door.translate({}, ID_TOKEN)).body,
        bodies.BATCH_ANSWER: (await door.request("POST", path, body=batch)).body,
    }
    for part in given[bodies.BATCH_ANSWER]["results"]:
        if "issued_token" in part:
            door.planted.note(part["issued_token"])
    assert sorted(given) == ANSWERS
    for name, body in given.items():
        assert [answer for answer in ANSWERS if _validator(answer).is_valid(body)] == [name]


@pytest.mark.server
@pytest.mark.xdist_group("rabbitmq")
async def test_what_stands_around_an_answer(amqp: Door, alice: Caller) -> None:
    """The headers of answers and dead letters are as described."""
    described = asyncapi.document()["components"]["messages"]

    def fits(name: str, headers: Any) -> bool:
        return Draft202012Validator(described[name]["headers"]).is_valid(dict(headers))

    trace = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
    issued = await alice.ask(translation(), headers=trace)
    assert issued.status == 200
    assert fits("amqp.answer", issued.headers)
    assert fits("amqp.error", (await alice.ask(b"{")).headers)
    assert fits("amqp.deadLetter", (await alice.dead_letter()).headers)
    assert not fits("amqp.answer", {})


async def test_served(door: Door) -> None:
    """Anybody may fetch the AsyncAPI document from the broker."""
    answer = await door.request("GET", "/asyncapi.json")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("application/json")
    assert answer.body == asyncapi.document()


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [r for child in value.values() for r in _references(child)]
    if isinstance(value, list):
        return [r for child in value for r in _references(child)]
    return []

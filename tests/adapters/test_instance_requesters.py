"""Who may ask an instance through a message server: read, written, and decided."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from adapters.instances import forgerock, toml
from broker import policy
from broker.errors import Forbidden, InvalidInstance
from broker.instance import MAX_REQUESTERS, compiled
from tests.support.door import an_instance

TOML = {"url_element": "orders", "transforms": ["USERNAME -> OPENIDCONNECT"]}


def from_toml(requesters: Any) -> tuple[dict[str, frozenset[str]], list[tuple[str, str]]]:
    draft, problems = toml.decode({**TOML, "requesters": requesters})
    return dict(draft.requesters), problems


def test_toml() -> None:
    """A list for each transport; an empty one is one, and a transport that is left out is open."""
    found, problems = from_toml({"amqp": ["alice", "key:orders-1"], "mqtt": []})
    assert problems == []
    assert found == {"amqp": frozenset({"alice", "key:orders-1"}), "mqtt": frozenset()}
    assert from_toml({"amqp": ["alice"]}) == ({"amqp": frozenset({"alice"})}, [])
    assert from_toml(None) == ({}, [])


@pytest.mark.parametrize(
    "given", ["alice", ["alice"], {"amqp": "alice"}, {"amqp": [5]}, {"http": ["alice"]}, 5]
)
def test_what_is_no_list(given: Any) -> None:
    """What cannot be a list of names is a problem, never an instance that is open to all."""
    _, problems = from_toml(given)
    assert [key.partition(".")[0] for key, _ in problems] == ["requesters"]


@pytest.mark.parametrize(
    "names", [[""], ["a\u200b"], ["a" * 301], map(str, range(MAX_REQUESTERS + 1))]
)
def test_names_that_cannot_be(names: Any) -> None:
    """Blank, unprintable and endless names are refused, and more than there is room for."""
    draft = replace(an_instance(), requesters={"amqp": frozenset(names)})
    with pytest.raises(InvalidInstance) as caught:
        compiled(draft)
    assert {key for key, _ in caught.value.problems} == {"requesters"}


def test_published_json() -> None:
    """The published document carries the lists, and is the one of before without them."""
    listed = replace(an_instance(), requesters={"amqp": frozenset({"b", "a"}), "mqtt": frozenset()})
    document = forgerock.encode(listed)
    assert document["requesters"] == {"amqp": ["a", "b"], "mqtt": []}
    draft, problems = forgerock.decode(document)
    assert problems == []
    assert draft == listed
    assert forgerock.shown(document)["requesters"] == document["requesters"]
    assert "requesters" not in forgerock.encode(an_instance())


def test_decision() -> None:
    """Those on the list may ask, at that transport; an anonymous caller is on no list."""
    listed = replace(an_instance(), requesters={"amqp": frozenset({"alice"}), "mqtt": frozenset()})
    policy.may_ask(listed, "amqp", "alice")
    policy.may_ask(listed, "http", None)
    policy.may_ask(an_instance(), "amqp", None)
    for transport, requester in (
        ("amqp", "mallory"),
        ("amqp", "Alice"),
        ("amqp", "key:alice"),
        ("amqp", None),
        ("mqtt", "alice"),
    ):
        with pytest.raises(Forbidden):
            policy.may_ask(listed, transport, requester)

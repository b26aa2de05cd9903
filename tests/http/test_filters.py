"""The query filters of `/sts-tokengen`, with an evaluator of our own as the judge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from yarl import URL

from broker.model import TokenRecord
from broker.testing import builders
from tests.support.door import Door

FIELDS = {"sts_id": "instance", "token_principal": "principal"}
NAMES = ("demo", "a b", "it's", 'say "x"', "back\\slash", "(and)", "true", "eq", "17", "Ünï", "!")
FAR = 4_000_000_000  # seconds since the epoch
INSTANCES = ("one", "fred/bobo/two")
REFUSED_OPERATORS = ("co", "sw", "gt", "ge", "lt", "le", "ne", "regex.v2")

# A filter: ("eq", field, value), ("and" | "or", left, right), ("not", inner), ("literal", bool),
# ("pr", field), ("other", operator, field, value).
Node = tuple[Any, ...]


def _holds(node: Node, record: TokenRecord) -> bool:
    """What the filter says of a record; for what is offered."""
    if node[0] == "and":
        return _holds(node[1], record) and _holds(node[2], record)
    return bool(getattr(record, FIELDS[node[1]]) == node[2])


def _offered(node: Node) -> bool:
    if node[0] == "and":
        return _offered(node[1]) and _offered(node[2])
    return node[0] == "eq" and node[1] in FIELDS


_field = st.sampled_from(sorted(FIELDS))
_value = st.sampled_from((*NAMES, *INSTANCES)) | st.text(
    st.characters(codec="utf-8", exclude_characters="\0"), max_size=6
)
_equality = st.tuples(st.just("eq"), _field, _value)
_conjunction = st.recursive(
    _equality, lambda inner: st.tuples(st.just("and"), inner, inner), max_leaves=6
)
_refused = st.one_of(
    st.tuples(st.just("literal"), st.booleans()),
    st.tuples(st.just("pr"), _field),
    st.tuples(st.just("other"), st.sampled_from(REFUSED_OPERATORS), _field, _value),
    st.tuples(st.just("eq"), st.sampled_from(("token_type", "realm", "sts_id/x", "a~1b")), _value),
    st.tuples(st.just("or"), _equality, _equality),
    st.tuples(st.just("not"), _equality),
)
_anything = st.recursive(
    _equality | _refused,
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(("and", "or")), inner, inner),
        st.tuples(st.just("not"), inner),
    ),
    max_leaves=6,
)


@dataclass
class _Pen:
    """Writes a filter in one of the ways in which it can be written."""

    data: st.DataObject

    def blank(self, *, must: bool = True) -> str:
        return self.data.draw(st.sampled_from((" ", "  ", "\t") if must else ("", " ")))

    def word(self, word: str) -> str:
        return self.data.draw(st.sampled_from((word, word.upper(), word.capitalize())))

    def value(self, value: str) -> str:
        if value.isascii() and value.isdecimal() and self.data.draw(st.booleans()):
            return value
        quote = self.data.draw(st.sampled_from("\"'"))
        marked = (f"\\{c}" if c in ("\\", quote) else c for c in value)
        return quote + "".join(marked) + quote

    def field(self, name: str) -> str:
        return self.data.draw(st.sampled_from(("", "/"))) + name

    def filter(self, node: Node, outside: str = "") -> str:
        text = self._plain(node)
        needed = (outside, node[0]) in (("and", "or"), ("not", "and"), ("not", "or"))
        if needed or outside == "not" or self.data.draw(st.booleans()):
            return "(" + self.blank(must=False) + text + self.blank(must=False) + ")"
        return text

    def _plain(self, node: Node) -> str:
        kind = node[0]
        if kind in ("and", "or"):
            left, right = self.filter(node[1], kind), self.filter(node[2], kind)
            return left + self.blank() + self.word(kind) + self.blank() + right
        if kind == "not":
            return "!" + self.blank(must=False) + self.filter(node[1], "not")
        if kind == "literal":
            return self.word(str(node[1]).lower())
        if kind == "pr":
            return self.field(node[1]) + self.blank() + self.word("pr")
        operator, field, value = node[1:] if kind == "other" else ("eq", *node[1:])
        said = (self.field(field), self.word(operator), self.value(value))
        return self.blank().join(said)


async def _planted(door: Door) -> list[TokenRecord]:
    """A record of each name at each instance, committed as issued tokens are."""
    records = []
    for number, (instance, name) in enumerate((i, n) for i in INSTANCES for n in NAMES):
        record = builders.a_record(
            token_id=f"t-{number}",
            alias=f"A{number:03}",
            instance=instance,
            principal=name,
            expires_at=FAR,
        )
        claim = builders.a_claim(token_id=record.token_id, scope=None, request_id=None)
        await door.broker.stores.ledger.commit(claim, record, builders.an_answer(), 0.0)
        records.append(record)
    return records


async def _asked(door: Door, head: dict[str, str], text: str) -> tuple[int, Any]:
    url = door.url + "/sts-tokengen"
    async with door.http.get(url, params={"_queryFilter": text}, headers=head) as answer:
        return answer.status, await answer.json()


@pytest.fixture
async def planted_door(door: Door) -> tuple[Door, dict[str, str], list[TokenRecord]]:
    return door, await door.admin(), await _planted(door)


Planted = tuple[Door, dict[str, str], list[TokenRecord]]
_profile = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@_profile
@given(st.data())
async def test_what_is_offered(planted_door: Planted, data: st.DataObject) -> None:
    """However a conjunction of equalities is written, it finds the tokens for which it holds."""
    door, head, records = planted_door
    node = data.draw(_conjunction)
    text = _Pen(data).filter(node)
    status, body = await _asked(door, head, text)
    assert status == 200, (text, body)
    expected = {record.alias for record in records if _holds(node, record)}
    assert {item["_id"] for item in body["result"]} == expected


@_profile
@given(st.data())
async def test_what_is_not_offered(planted_door: Planted, data: st.DataObject) -> None:
    """A filter of CREST's grammar that says anything else is a 400 that says what is offered."""
    door, head, _ = planted_door
    node = data.draw(_anything.filter(lambda node: not _offered(node)))
    text = _Pen(data).filter(node)
    status, body = await _asked(door, head, text)
    assert status == 400, (text, body)
    assert "filter with /sts_id eq" in body["message"]
    assert "cannot be read" not in body["message"]


@_profile
@given(st.text(st.sampled_from("/sts_id eq\"'x() andor!\\~0true~"), max_size=40))
async def test_garbage(planted_door: Planted, text: str) -> None:
    """Whatever is sent as a filter is answered with a 200 or a 400."""
    door, head, _ = planted_door
    status, _body = await _asked(door, head, text)
    assert status in (200, 400)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('/token_type eq "SAML2"', "/token_type"),
        ('/sts_id co "x"', "co is not offered for sts_id"),
        ('/sts_id eq "x" or /sts_id eq "y"', "or is not offered"),
        ('!(/sts_id eq "x")', "! is not offered"),
        ("/token_principal pr", "pr is not offered for token_principal"),
        ("true", "literal true"),
        ("/sts_id eq false", "never false"),
        ("/sts_id eq bare", "cannot be read"),
        ('! /sts_id eq "x"', "cannot be read"),
        ('/sts_id eq "x" nor /sts_id eq "y"', "cannot be read"),
        ('or or or "x"', "cannot be read"),
    ],
)
async def test_refusal_names_the_matter(door: Door, text: str, named: str) -> None:
    """A filter that is refused is told which field or word of it is the matter."""
    status, body = await _asked(door, await door.admin(), text)
    assert status == 400
    assert named in body["message"]


@pytest.mark.parametrize(("depth", "expected"), [(256, 200), (257, 400), (2000, 400)])
async def test_nesting(door: Door, depth: int, expected: int) -> None:
    """Parentheses may nest 256 deep, and no deeper."""
    text = "(" * depth + "/sts_id eq 'x'" + ")" * depth
    status, _body = await _asked(door, await door.admin(), text)
    assert status == expected


@pytest.mark.parametrize(("length", "expected"), [(4096, 200), (4097, 400)])
async def test_length(door: Door, length: int, expected: int) -> None:
    """A filter may have 4096 characters, and no more."""
    frame = "/sts_id eq ''"
    text = frame[:-1] + "x" * (length - len(frame)) + "'"
    status, _body = await _asked(door, await door.admin(), text)
    assert status == expected


async def test_filter_in_a_form(door: Door) -> None:
    """A filter whose blanks were written as plus signs is the same filter."""
    records = await _planted(door)
    url = door.url + "/sts-tokengen?_queryFilter=/token_principal+eq+'a+b'"
    head = await door.admin()
    async with door.http.get(URL(url, encoded=True), headers=head) as answer:
        found = {item["_id"] for item in (await answer.json())["result"]}
    assert found == {record.alias for record in records if record.principal == "a b"}

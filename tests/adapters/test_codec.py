"""The wire's JSON, and the one table from the core's errors to its numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters import codec
from broker import errors
from broker.model import Requester, TranslationRequest
from tests.support.planted import MARK

SOMEBODY = Requester("test")

MEMBERS = st.dictionaries(
    st.text(max_size=8), st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=8)
)


def _kinds(root: type[errors.RemintError]) -> Iterator[type[errors.RemintError]]:
    for kind in root.__subclasses__():
        yield kind
        yield from _kinds(kind)


KINDS = sorted(
    {kind for kind in _kinds(errors.RemintError) if kind.__module__ == errors.__name__}
    - {errors.Refusal},
    key=lambda kind: kind.__name__,
)


def _made(kind: type[errors.RemintError]) -> errors.RemintError:
    if issubclass(kind, errors.InvalidDocument):
        return kind([("key", "sentence")])
    if issubclass(kind, errors.TooManyAttempts):
        return kind("sentence", retry_after=7)
    return kind("sentence")


def _decoded(body: dict[str, Any]) -> TranslationRequest:
    return codec.decode_translation(body, instance="i", requester=SOMEBODY, request_id="r")


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_has_a_status(kind: type[errors.RemintError]) -> None:
    """Every error of the core has a number on the wire, and that number its reason."""
    body = codec.error_body(_made(kind))
    assert any(ancestor in codec.STATUS for ancestor in kind.__mro__)
    ours = (errors.Unavailable, errors.NotSupported, errors.PlugInFailed)
    assert (body["code"] >= 500) is issubclass(kind, ours)
    assert body["reason"] == codec.REASONS[body["code"]]
    assert "sentence" in body["message"]


def test_table_holds_nothing_else() -> None:
    """Every line of the table is a kind of error, and every number in it has a reason."""
    assert set(codec.STATUS) <= set(KINDS)
    assert set(codec.STATUS.values()) <= set(codec.REASONS)


def test_stranger_tells_nothing() -> None:
    """An error that is not ours is a 500 whose body says nothing of its cause."""
    body = codec.error_body(RuntimeError(f"password={MARK}"))
    reason = "Internal Server Error"
    assert body == {"code": 500, "reason": reason, "message": reason}


def test_private_detail_stays() -> None:
    """What an error says for the audit does not reach the wire."""
    body = codec.error_body(errors.AuthenticationFailed("no", detail=f"unknown user {MARK}"))
    assert body == {"code": 401, "reason": "Unauthorized", "message": "no"}


def test_problems_in_detail() -> None:
    """Each problem of an instance is in the detail, under its key."""
    body = codec.error_body(errors.InvalidInstance([("a", "one"), ("b", "two")]))
    assert body["detail"] == [{"key": "a", "message": "one"}, {"key": "b", "message": "two"}]


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (200, "never"),
        (400, "never"),
        (401, "never"),
        (409, "never"),
        (410, "never"),
        (408, "later"),
        (429, "later"),
        (500, "same-id"),
        (503, "same-id"),
    ],
)
def test_retry_advice(status: int, advice: str) -> None:
    """A caller is told whether asking again can help."""
    assert codec.retry_advice(status) == advice


@pytest.mark.parametrize("body", [b"", b" \r\n\t "])
def test_empty_body(body: bytes) -> None:
    """An empty body is an empty object."""
    assert codec.decode_json(body) == {}


@pytest.mark.parametrize("body", [b"[]", b'"x"', b"7", b"null", b"true"])
def test_no_object(body: bytes) -> None:
    """Any other JSON value counts as an object without members."""
    assert codec.decode_object(body) == {}


@pytest.mark.parametrize("body", [b"{", b"{} {}", b"{'a': 1}", b"NaN", b'"\xff"', b'"\\ud800"'])
def test_no_json(body: bytes) -> None:
    """What is not one JSON value is refused, with the place where it stops being so."""
    with pytest.raises(codec.NotJson) as refused:
        codec.decode_json(body)
    assert "line 1 column" in codec.error_body(refused.value)["detail"]


def test_refusal_does_not_quote() -> None:
    """What is said of a body that cannot be read holds none of it."""
    with pytest.raises(codec.NotJson) as refused:
        codec.decode_json(b'{"password": "' + MARK.encode() + b'"')
    assert MARK not in json.dumps(codec.error_body(refused.value)) + repr(refused.value)


def test_size() -> None:
    """A body up to the limit is read, one byte more is refused unread."""
    fits = b"7".ljust(codec.MAX_BODY_BYTES)
    assert codec.decode_json(fits) == 7
    with pytest.raises(errors.PayloadTooLarge):
        codec.decode_json(fits + b" ")


@pytest.mark.parametrize("innermost", [b"7", b"[]", b"{}"])
@pytest.mark.parametrize(("opened", "closed"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_depth(opened: bytes, closed: bytes, innermost: bytes) -> None:
    """Nesting up to the limit is read, one level more is refused, even an empty one."""
    around = codec.MAX_JSON_DEPTH - (innermost != b"7")
    assert codec.decode_json(opened * around + innermost + closed * around)
    around += 1
    with pytest.raises(errors.InvalidRequest):
        codec.decode_json(opened * around + innermost + closed * around)
    with pytest.raises(errors.InvalidRequest):
        codec.decode_json(opened * 200_000)


def test_containers() -> None:
    """A body of more arrays and objects than the limit is refused, however flat it is."""
    pairs = codec.MAX_CONTAINERS - 1
    assert codec.decode_json(b"[" + b"[]," * pairs + b"7]")
    with pytest.raises(errors.InvalidRequest):
        codec.decode_json(b"[" + b"[]," * (pairs + 1) + b"7]")


@given(MEMBERS)
def test_pretty_is_the_same(value: dict[str, Any]) -> None:
    """Pretty or plain, what is written reads back as the same value."""
    assert codec.decode_json(codec.encode(value)) == value
    assert codec.decode_json(codec.encode(value, pretty=True)) == value


@given(MEMBERS, MEMBERS)
def test_canonical_form(given_members: dict[str, Any], wanted_members: dict[str, Any]) -> None:
    """The canonical form of a state depends on its members, not on their order."""
    body = {
        "input_token_state": {**given_members, "token_type": "A"},
        "output_token_state": {**wanted_members, "token_type": "B"},
    }
    turned = {name: dict(reversed(state.items())) for name, state in reversed(body.items())}
    first, second = _decoded(body), _decoded(turned)
    assert first.subject_token.canonical == second.subject_token.canonical
    assert first.requested_token.canonical == second.requested_token.canonical
    changed = _decoded({**body, "input_token_state": {**body["input_token_state"], "x" * 9: 1}})
    assert changed.subject_token.canonical != first.subject_token.canonical


def test_request() -> None:
    """A translate body becomes a request, with what its transport says about it."""
    body = {
        "input_token_state": {"token_type": "A", "a": [1]},
        "output_token_state": {"token_type": "B", "b": None},
    }
    request = codec.decode_translation(
        body,
        instance="realm/i",
        requester=SOMEBODY,
        request_id="r",
        deadline=5.0,
        trace={"traceparent": "00"},
    )
    assert (request.instance, request.requester) == ("realm/i", SOMEBODY)
    assert (request.request_id, request.deadline) == ("r", 5.0)
    assert request.trace == {"traceparent": "00"}
    assert request.subject_token.type == "A"
    assert request.subject_token.unverified == body["input_token_state"]
    assert request.requested_token.type == "B"
    assert request.requested_token.options == body["output_token_state"]


def test_request_hides_its_secrets() -> None:
    """A request that is printed shows none of its states' members."""
    body = {
        "input_token_state": {"token_type": "A", "password": MARK},
        "output_token_state": {"token_type": "B", "nonce": MARK},
    }
    assert MARK not in repr(_decoded(body))


@pytest.mark.parametrize("state", [None, [], "x", 7, True])
@pytest.mark.parametrize("member", ["input_token_state", "output_token_state"])
def test_state_is_no_object(member: str, state: Any) -> None:
    """A state that is not an object is named in the refusal."""
    body = {"input_token_state": {"token_type": "A"}, "output_token_state": {"token_type": "B"}}
    with pytest.raises(errors.InvalidRequest, match=member):
        _decoded({**body, member: state})


@pytest.mark.parametrize("name", [None, "", 7, [], "x" * (codec.MAX_TOKEN_TYPE_LENGTH + 1)])
@pytest.mark.parametrize("member", ["input_token_state", "output_token_state"])
def test_token_type_is_no_name(member: str, name: Any) -> None:
    """A token type is a string of limited length; which state lacks it is said."""
    body = {"input_token_state": {"token_type": "A"}, "output_token_state": {"token_type": "B"}}
    with pytest.raises(errors.InvalidRequest, match=f"{member} needs"):
        _decoded({**body, member: {"token_type": name}})


def test_presented_token() -> None:
    """The state of a validate or cancel body is handed on unread; absent, it is named."""
    state = {"token_type": 7, "anything": [1]}
    shown = codec.decode_presented(
        {"validated_token_state": state}, "validated_token_state", instance="i"
    )
    assert (shown.instance, shown.unverified) == ("i", state)
    with pytest.raises(errors.InvalidRequest, match="cancelled_token_state"):
        codec.decode_presented(
            {"validated_token_state": state}, "cancelled_token_state", instance="i"
        )


def test_refusal_as_an_answer() -> None:
    """A refusal that is stored has the status and the body that its caller got."""
    refusal = errors.RealmMismatch("not here")
    answer = codec.answer_refusal(refusal)
    assert (answer.status, answer.body) == (403, codec.error_body(refusal))
    assert answer.final
    assert not codec.answer_refusal(errors.RequestExpired("too late")).final

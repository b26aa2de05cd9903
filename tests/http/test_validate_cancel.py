"""The life of an issued token: valid until it is cancelled or expires, and only at its instance."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest

from broker.model import OPENIDCONNECT, SAML2
from tests.support.door import (
    ASSERTION,
    HEADER,
    ID_TOKEN,
    REALM,
    Answer,
    Door,
    an_instance,
    user_input,
)

SUCCESS: Mapping[str, Mapping[str, str]] = {
    OPENIDCONNECT: {"result": "OPENIDCONNECT token cancelled successfully."},
    SAML2: {"result": "SAML2 token cancelled successfully."},
}
MEMBERS: Mapping[str, str] = {OPENIDCONNECT: "oidc_id_token", SAML2: "saml2_token"}
WANTED: Mapping[str, Mapping[str, Any]] = {OPENIDCONNECT: ID_TOKEN, SAML2: ASSERTION}
TYPES = [OPENIDCONNECT, SAML2]

VALID = (200, {"token_valid": True})
INVALID = (200, {"token_valid": False})


def _shown(kind: str, token: str) -> dict[str, str]:
    return {"token_type": kind, MEMBERS[kind]: token}


async def _issued(door: Door, kind: str, instance: str = "username-transformer") -> str:
    answer = await door.translate(user_input(), WANTED[kind], instance=instance)
    assert answer.status == 200
    return str(answer.body["issued_token"])


def _said(answer: Answer) -> tuple[int, Any]:
    return answer.status, answer.body


def _requoted(assertion: str) -> str:
    """The same assertion, its attributes in another order and between single quotes."""
    start, attributes, rest = re.split(r"(?<=Assertion) (xmlns[^>]*)(?=>)", assertion, maxsplit=1)
    pairs = re.findall(r'([\w:]+)="([^"]*)"', attributes)
    return start + "".join(f"\n  {name}='{value}'" for name, value in reversed(pairs)) + rest


@pytest.mark.parametrize("kind", TYPES)
async def test_life(door: Door, kind: str) -> None:
    """A token is valid once it is issued, and never again once it is cancelled."""
    state = _shown(kind, await _issued(door, kind))
    assert _said(await door.validate(state)) == VALID
    assert _said(await door.validate(state)) == VALID
    assert _said(await door.cancel(state)) == (200, SUCCESS[kind])
    assert _said(await door.validate(state)) == INVALID
    assert await door.tokens() == []


@pytest.mark.parametrize("kind", TYPES)
async def test_cancel_twice(door: Door, kind: str) -> None:
    """Cancelling what is cancelled already is answered with the same words."""
    state = _shown(kind, await _issued(door, kind))
    first = await door.cancel(state)
    assert _said(await door.cancel(state)) == _said(first) == (200, SUCCESS[kind])


@pytest.mark.parametrize("kind", TYPES)
async def test_cancel_ends_one_token(door: Door, kind: str) -> None:
    """Cancelling one token leaves its siblings alone."""
    tokens = [await _issued(door, kind) for _ in range(3)]
    await door.cancel(_shown(kind, tokens[1]))
    answers = [_said(await door.validate(_shown(kind, token))) for token in tokens]
    assert answers == [VALID, INVALID, VALID]


@pytest.mark.parametrize("signed", ["RS256", None])
async def test_forged_assertion(door: Door, signed: str | None) -> None:
    """Another text under a known assertion ID is not valid, and cannot cancel the real one."""
    await door.publish(an_instance("other", saml2=signed))
    real = await _issued(door, SAML2, "other")
    for forged in (
        real.replace(">demo<", ">root<"),
        re.sub(r'NotOnOrAfter="\d+', 'NotOnOrAfter="9999', real),
        re.sub(r"(?s)(<saml:Assertion[^>]*>).*", r"\1</saml:Assertion>", real),
        real.replace("<saml:Subject>", "<saml:Subject> "),
    ):
        assert forged != real
        state = _shown(SAML2, forged)
        assert _said(await door.validate(state, instance="other")) == INVALID
        assert _said(await door.cancel(state, instance="other")) == (200, SUCCESS[SAML2])
    assert _said(await door.validate(_shown(SAML2, real), instance="other")) == VALID


async def test_altered_id_token(door: Door) -> None:
    """An ID token with anything changed is not valid, and cannot cancel the real one."""
    real = await _issued(door, OPENIDCONNECT)
    header, payload, signature = real.split(".")
    for altered in (
        f"{header}.{payload}.",
        f"{header}.{payload[:-2]}xx.{signature}",
        f"{header}.{payload}.{signature}=",
        real + " ",
        payload,
    ):
        state = _shown(OPENIDCONNECT, altered)
        assert _said(await door.validate(state)) == INVALID
        assert _said(await door.cancel(state)) == (200, SUCCESS[OPENIDCONNECT])
    assert _said(await door.validate(_shown(OPENIDCONNECT, real))) == VALID


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("other", ["sibling", "fred/bobo/cousin"])
async def test_another_instance(door: Door, kind: str, other: str) -> None:
    """A token of one instance means nothing at another, of whichever realm."""
    await door.publish(an_instance("sibling"), an_instance("cousin", realm=REALM))
    state = _shown(kind, await _issued(door, kind))
    assert _said(await door.validate(state, instance=other)) == INVALID
    assert _said(await door.cancel(state, instance=other)) == (200, SUCCESS[kind])
    assert _said(await door.validate(state)) == VALID


async def test_written_another_way(door: Door) -> None:
    """An assertion written in other XML that means the same is the same assertion."""
    real = await _issued(door, SAML2)
    requoted = _requoted(real)
    assert "Version='2.0'" in requoted
    assert _said(await door.validate(_shown(SAML2, requoted))) == VALID
    shortened = re.sub(r"<([\w:]+)([^<>]*)></\1>", r"<\1\2/>", requoted)
    assert shortened != requoted
    declared = f"<?xml version='1.0'?>\n{shortened}\n"
    assert _said(await door.validate(_shown(SAML2, declared))) == VALID
    assert _said(await door.cancel(_shown(SAML2, declared))) == (200, SUCCESS[SAML2])
    assert _said(await door.validate(_shown(SAML2, real))) == INVALID


@pytest.mark.parametrize("kind", TYPES)
async def test_sub_realm(door: Door, kind: str) -> None:
    """Validate and cancel work at an instance of a sub realm, under its full path."""
    await door.publish(an_instance("inside", realm=REALM))
    path = "fred/bobo/inside"
    state = _shown(kind, await _issued(door, kind, path))
    assert _said(await door.validate(state, instance=path)) == VALID
    await door.cancel(state, instance=path)
    assert _said(await door.validate(state, instance=path)) == INVALID


@pytest.mark.parametrize("kind", TYPES)
async def test_token_of_the_other_type(door: Door, kind: str) -> None:
    """A token shown as the other type is either unreadable or invalid, never valid."""
    token = await _issued(door, kind)
    wrong = SAML2 if kind == OPENIDCONNECT else OPENIDCONNECT
    answer = await door.validate(_shown(wrong, token))
    assert _said(answer) == INVALID if kind == SAML2 else answer.status == 400


async def test_sessions_do_not_matter(door: Door) -> None:
    """Whoever holds the token may ask: a session, of an administrator or ended, changes nothing."""
    state = _shown(OPENIDCONNECT, await _issued(door, OPENIDCONNECT))
    heads: list[Mapping[str, str]] = [{}, {HEADER: "ended"}, await door.admin()]
    for head in heads:
        path = "/rest-sts/username-transformer?_action=validate"
        body = {"validated_token_state": state}
        assert _said(await door.request("POST", path, body=body, headers=head)) == VALID


async def test_enabling_persistence_covers_later_tokens_alone(door: Door) -> None:
    """A token issued before its instance kept records is not valid afterwards."""
    await door.publish(an_instance("late", persist=False))
    before = _shown(OPENIDCONNECT, await _issued(door, OPENIDCONNECT, "late"))
    await door.publish(an_instance("late", persist=True))
    after = _shown(OPENIDCONNECT, await _issued(door, OPENIDCONNECT, "late"))
    assert _said(await door.validate(before, instance="late")) == INVALID
    assert _said(await door.validate(after, instance="late")) == VALID


async def test_audit(door: Door) -> None:
    """Each validation and each cancellation leaves one line, with ids and without the token."""
    token = await _issued(door, OPENIDCONNECT)
    await door.validate(_shown(OPENIDCONNECT, token))
    await door.cancel(_shown(OPENIDCONNECT, token))
    await door.validate(_shown(OPENIDCONNECT, token))
    issued, *rest = door.audit()
    assert [line["operation"] for line in rest] == ["validate", "cancel", "validate"]
    assert {line["token_alias"] for line in rest} == {issued["token_alias"]}
    assert {line["outcome"] for line in rest} == {"ok"}
    assert [line.get("token_id") for line in rest] == [issued["token_id"]] * 2 + [None]

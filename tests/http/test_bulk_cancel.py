"""Many tokens cancelled at once: by what they share, and with the token they were issued from."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from adapters.instances import forgerock, toml
from broker.errors import Unavailable
from broker.model import OPENIDCONNECT, TokenRecord
from broker.testing import a_claim, an_answer
from tests.support.door import (
    ELEMENT,
    HEADER,
    ID_TOKEN,
    REALM,
    Answer,
    Door,
    an_instance,
    pair,
    user_input,
)

BULK = "/sts-tokengen?_action=cancel"
INSIDE = "fred/bobo/inside"
OPAQUE = "OPAQUE"
ROOTS, BOUND, FREE = "roots", "bound", "free"


async def _issue(door: Door, name: str = "demo", instance: str = ELEMENT) -> dict[str, str]:
    """The state of a new ID token, as validate takes it."""
    answer = await door.translate(user_input(name=name), ID_TOKEN, instance=instance)
    return _shown(answer)


def _shown(answer: Answer) -> dict[str, str]:
    assert answer.status == 200, answer.text
    return {"token_type": OPENIDCONNECT, "oidc_id_token": answer.body["issued_token"]}


async def _bulk(door: Door, head: dict[str, str], **selectors: Any) -> Answer:
    return await door.request("POST", BULK, body=selectors, headers=head)


async def _valid(door: Door, state: dict[str, str], instance: str = ELEMENT) -> bool:
    answer = await door.validate(state, instance=instance)
    assert answer.status == 200, answer.text
    return bool(answer.body["token_valid"])


# -- bulk ----------------------------------------------------------------------------------------


async def _some_tokens(door: Door) -> None:
    """Of two users at two instances of the root realm, and one in the sub realm."""
    await door.add_user("ann")
    await door.publish(
        an_instance("second", oidc="ES256"), an_instance("inside", realm=REALM, oidc="ES256")
    )
    for name in ("demo", "ann"):
        for instance in (ELEMENT, "second"):
            await _issue(door, name, instance)
    await _issue(door, "demo", INSIDE)


def _named(records: list[TokenRecord]) -> set[tuple[str, str]]:
    return {(record.instance, record.principal) for record in records}


@pytest.mark.parametrize(
    ("selectors", "left"),
    [
        ({"instance": "second"}, {(ELEMENT, "demo"), (ELEMENT, "ann"), (INSIDE, "demo")}),
        ({"principal": "demo"}, {(ELEMENT, "ann"), ("second", "ann")}),
        (
            {"principal": "demo", "instance": "second"},
            {(ELEMENT, "demo"), (ELEMENT, "ann"), ("second", "ann"), (INSIDE, "demo")},
        ),
        ({"instance": INSIDE}, {(i, n) for i in (ELEMENT, "second") for n in ("demo", "ann")}),
    ],
)
async def test_all_that_match(
    door: Door, selectors: dict[str, str], left: set[tuple[str, str]]
) -> None:
    """Tokens of an instance, of a principal or of both end; their number is the answer."""
    await _some_tokens(door)
    answer = await _bulk(door, await door.admin(), **selectors)
    assert (answer.status, answer.body) == (200, {"cancelled": 5 - len(left)})
    assert _named(await door.tokens()) == left
    answer = await _bulk(door, await door.admin(), **selectors)
    assert answer.body == {"cancelled": 0}


async def test_all_of_a_key(door: Door) -> None:
    """All that one key signed ends, and is not valid from then on; others' tokens stay."""
    await _some_tokens(door)
    mine, other = await _issue(door), await _issue(door, instance="second")
    (record,) = [r for r in await door.tokens() if r.instance == "second" and r.principal == "ann"]
    answer = await _bulk(door, await door.admin(), key=record.key_id)
    assert answer.body == {"cancelled": 3}
    assert not await _valid(door, other, "second")
    assert await _valid(door, mine)
    assert _named(await door.tokens()) == {(ELEMENT, "demo"), (ELEMENT, "ann"), (INSIDE, "demo")}


@pytest.mark.parametrize(
    "selectors",
    [
        {"principal": "demo"},
        {"instance": ELEMENT},
        {"instance": INSIDE},
        {"principal": "demo", "instance": INSIDE},
    ],
)
async def test_a_sub_realm_s_administrator_reaches_its_realm_alone(
    door: Door, selectors: dict[str, str]
) -> None:
    """Whatever is named, an administrator of a sub realm ends no token of another realm."""
    await _some_tokens(door)
    head = await door.realm_admin()
    answer = await _bulk(door, head, **selectors)
    inside = selectors.get("instance") != ELEMENT
    assert answer.body == {"cancelled": int(inside)}
    assert len([r for r in await door.tokens() if r.realm == "/"]) == 4
    assert len([r for r in await door.tokens() if r.realm == REALM]) == 1 - int(inside)


async def test_a_sub_realm_s_administrator_and_a_key_of_another_realm(door: Door) -> None:
    """The key of the root realm selects nothing in a sub realm."""
    await _some_tokens(door)
    (key_id,) = {r.key_id for r in await door.tokens() if r.instance == ELEMENT}
    answer = await _bulk(door, await door.realm_admin(), key=key_id)
    assert answer.body == {"cancelled": 0}
    assert len(await door.tokens()) == 5


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "instance, principal and key"),
        ({"realm": "/"}, "realm"),
        ({"instance": ELEMENT, "princpal": "demo"}, "princpal"),
        ({"instance": ""}, "instance must be a string"),
        ({"instance": ELEMENT, "key": ""}, "key must be a string"),
        ({"principal": None}, "principal must be a string"),
        ({"principal": ["demo"]}, "principal must be a string"),
        ({"principal": True, "instance": ELEMENT}, "principal must be a string"),
        ([], "instance, principal and key"),
        ("x", "instance, principal and key"),
    ],
)
async def test_what_is_not_clear_cancels_nothing(door: Door, body: Any, words: str) -> None:
    """A body that names nothing, something else or nobody is a 400 that says what to write."""
    await _issue(door)
    answer = await door.request("POST", BULK, body=body, headers=await door.admin())
    assert answer.status == 400
    assert words in answer.body["message"]
    assert len(await door.tokens()) == 1


async def test_who_may_not(door: Door) -> None:
    """Without a session it is a 401, without the role a 403, and with a path it is no bulk."""
    await _issue(door)
    body = {"instance": ELEMENT}
    assert (await door.request("POST", BULK, body=body)).status == 401
    ordinary = {HEADER: await door.login()}
    assert (await door.request("POST", BULK, body=body, headers=ordinary)).status == 403
    path = "/sts-tokengen/x?_action=cancel"
    assert (await door.request("POST", path, body=body, headers=await door.admin())).status == 403
    assert len(await door.tokens()) == 1


async def test_one_line_with_the_number(door: Door) -> None:
    """A bulk cancel is one line of the audit: who, by what, how many."""
    for _ in range(3):
        await _issue(door)
    await _bulk(door, await door.admin(), instance=ELEMENT, principal="demo")
    line = door.audit()[-1]
    assert (line["operation"], line["requester"], line["outcome"]) == (
        *("tokens cancel", "admin"),
        "ok",
    )
    assert (line["instance"], line["principal"], line["cancelled"]) == (ELEMENT, "demo", "3")


async def test_a_cancel_that_was_cut_short_can_be_repeated(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the store goes away half-way it is a 503; the audit knows how many ended, and doing it
    again ends the rest."""
    for _ in range(12):
        await _issue(door)
    tokens = door.broker.stores.tokens
    cancel, done = tokens.cancel, 0

    async def dying(alias: str, *rest: Any) -> bool:
        nonlocal done
        if done == 5:
            raise Unavailable("the store cannot be reached")
        done += 1
        return await cancel(alias, *rest)

    head = await door.admin()
    with monkeypatch.context() as patch:
        patch.setattr(tokens, "cancel", dying)
        assert (await _bulk(door, head, instance=ELEMENT)).status == 503
    assert len(await door.tokens()) == 7
    assert (door.audit()[-1]["outcome"], door.audit()[-1]["cancelled"]) == ("failed", "5")
    assert (await _bulk(door, head, instance=ELEMENT)).body == {"cancelled": 7}


async def test_many_pages(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """More tokens than a page holds all end, though each page vanishes under the listing."""
    monkeypatch.setattr("broker.lifecycle.PAGE_SIZE", 4)
    for _ in range(13):
        await _issue(door)
    await door.publish(an_instance("second"))
    await _issue(door, instance="second")
    answer = await _bulk(door, await door.admin(), instance=ELEMENT)
    assert answer.body == {"cancelled": 13}
    assert [record.instance for record in await door.tokens()] == ["second"]


# -- with the parent -----------------------------------------------------------------------------


async def _publish_family(door: Door) -> None:
    """One instance issues OPAQUE tokens, two take them: one binds what it issues, one doesn't."""
    onward = (pair(OPAQUE, OPENIDCONNECT), pair(OPAQUE, OPAQUE))
    await door.publish(
        an_instance(ROOTS, transforms=(pair("USERNAME", OPAQUE),)),
        replace(an_instance(BOUND, transforms=onward), cancel_with_parent=True),
        an_instance(FREE, transforms=onward),
    )


def _opaque(answer: Answer) -> dict[str, str]:
    assert answer.status == 200, answer.text
    return {"token_type": OPAQUE, "opaque_token": answer.body["issued_token"]}


async def _root(door: Door) -> dict[str, str]:
    return _opaque(await door.translate(user_input(), {"token_type": OPAQUE}, instance=ROOTS))


async def _child(door: Door, parent: dict[str, str], instance: str = BOUND) -> dict[str, str]:
    return _shown(await door.translate(parent, ID_TOKEN, instance=instance))


async def _passed_on(door: Door, parent: dict[str, str], instance: str = BOUND) -> dict[str, str]:
    answer = await door.translate(parent, {"token_type": OPAQUE}, instance=instance)
    return _opaque(answer)


Cancel = Callable[[Door, dict[str, str]], Any]


async def _by_its_holder(door: Door, root: dict[str, str]) -> None:
    assert (await door.cancel(root, instance=ROOTS)).status == 200


async def _by_an_administrator(door: Door, root: dict[str, str]) -> None:
    (record,) = [record for record in await door.tokens() if record.instance == ROOTS]
    path = f"/sts-tokengen/{record.alias}"
    assert (await door.request("DELETE", path, headers=await door.admin())).status == 200


async def _in_bulk(door: Door, root: dict[str, str]) -> None:
    answer = await _bulk(door, await door.admin(), instance=ROOTS)
    assert answer.body["cancelled"] >= 2


@pytest.mark.parametrize("cancel", [_by_its_holder, _by_an_administrator, _in_bulk])
async def test_a_token_ends_with_its_parent(door: Door, cancel: Cancel) -> None:
    """Whoever cancels the parent and however, its child ends with it, and no other token does."""
    await _publish_family(door)
    root, other = await _root(door), await _issue(door)
    child = await _child(door, root)
    assert await _valid(door, child, BOUND)
    await cancel(door, root)
    assert not await _valid(door, child, BOUND)
    assert [record.instance for record in await door.tokens()] == [ELEMENT]
    assert await _valid(door, other)
    assert door.audit()[-3].get("cancelled") == "2" or cancel is not _by_its_holder


async def test_a_token_outlives_its_parent_where_nobody_asked(door: Door) -> None:
    """Without the option a token has nothing to do with the one it was issued from."""
    await _publish_family(door)
    root = await _root(door)
    child = await _child(door, root, FREE)
    await _by_its_holder(door, root)
    assert await _valid(door, child, FREE)


async def test_generations(door: Door) -> None:
    """Grandchildren end as well, as far as each is bound to the one before it."""
    await _publish_family(door)
    root = await _root(door)
    child = await _passed_on(door, root)
    grandchild = await _passed_on(door, child)
    leaf = await _child(door, grandchild)
    assert await _valid(door, leaf, BOUND)
    await _by_its_holder(door, root)
    assert await door.tokens() == []
    assert not await _valid(door, leaf, BOUND)

    root = await _root(door)
    free = await _passed_on(door, root, FREE)
    leaf = await _child(door, free)
    await _by_its_holder(door, root)
    assert await _valid(door, leaf, BOUND)
    assert {record.instance for record in await door.tokens()} == {FREE, BOUND}


async def _stored(door: Door, record: TokenRecord) -> None:
    claim = a_claim(token_id=record.token_id, scope=None, request_id=None)
    await door.broker.stores.ledger.commit(claim, record, an_answer(), record.expires_at)


async def test_200_children(door: Door) -> None:
    """All children of a token end with it, more than one page of them."""
    await _publish_family(door)
    root = await _root(door)
    child = await _child(door, root)
    (record,) = [record for record in await door.tokens() if record.instance == BOUND]
    for n in range(199):
        await _stored(door, replace(record, alias=f"{n:03}", token_id=f"{n:03}"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("broker.family.PAGE_SIZE", 64)
        await _by_its_holder(door, root)
    assert await door.tokens() == []
    assert door.audit()[-1]["cancelled"] == "201"
    assert not await _valid(door, child, BOUND)


async def test_a_cycle_ends(door: Door) -> None:
    """Records that name each other as parents are not valid, and cancelling one ends them all."""
    await _publish_family(door)
    token = await _passed_on(door, await _root(door))
    (record,) = [record for record in await door.tokens() if record.instance == BOUND]
    tokens = door.broker.stores.tokens
    await tokens.cancel(record.alias)
    await _stored(door, replace(record, parent="other"))
    await _stored(door, replace(record, alias="other", token_id="o", parent=record.alias))
    await _stored(door, replace(record, alias="self", token_id="s", parent="self"))
    assert not await _valid(door, token, BOUND)
    assert (await door.cancel(token, instance=BOUND)).status == 200
    assert {record.alias for record in await door.tokens() if record.instance == BOUND} == {"self"}
    answer = await _bulk(door, await door.admin(), instance=BOUND)
    assert answer.body == {"cancelled": 1}


async def test_a_parent_removed_before_the_crash(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the broker dies between parent and child, the child is not valid all the same."""
    await _publish_family(door)
    root = await _root(door)
    child = await _child(door, root)
    tokens = door.broker.stores.tokens

    async def gone(query: object) -> list[TokenRecord]:
        raise Unavailable("the store cannot be reached")

    with monkeypatch.context() as patch:
        patch.setattr(tokens, "query", gone)
        assert (await door.cancel(root, instance=ROOTS)).status == 503
    assert [record.instance for record in await door.tokens()] == [BOUND]
    assert not await _valid(door, child, BOUND)


async def test_an_orphan_is_no_input(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bound token whose parent was cancelled before a crash is refused wherever it is shown."""
    await _publish_family(door)
    root = await _root(door)
    orphan = await _passed_on(door, root)

    async def gone(query: object) -> list[TokenRecord]:
        raise Unavailable("the store cannot be reached")

    with monkeypatch.context() as patch:
        patch.setattr(door.broker.stores.tokens, "query", gone)
        assert (await door.cancel(root, instance=ROOTS)).status == 503
    for instance in (FREE, BOUND):
        assert (await door.translate(orphan, ID_TOKEN, instance=instance)).status == 401


async def test_a_child_issued_while_its_parent_is_cancelled(door: Door) -> None:
    """Many children are asked for while their parents are cancelled: none of them is valid."""
    await _publish_family(door)
    roots = [await _root(door) for _ in range(20)]

    async def race(root: dict[str, str]) -> Answer:
        asked, _ = await asyncio.gather(
            door.translate(root, ID_TOKEN, instance=BOUND), _by_its_holder(door, root)
        )
        return asked

    answers = await asyncio.gather(*(race(root) for root in roots))
    for answer in answers:
        if answer.status == 200:
            assert not await _valid(door, _shown(answer), BOUND)
        else:
            assert answer.status == 401


async def test_a_child_never_outlives_its_parent(door: Door) -> None:
    """A token ends no later than the one it was issued from, so that a parent that is reaped takes
    no valid token along; until then both are good."""
    await _publish_family(door)
    root = await _root(door)
    child = await _child(door, root)
    records = {record.instance: record for record in await door.tokens()}
    assert records[BOUND].parent == records[ROOTS].alias
    assert records[BOUND].expires_at <= records[ROOTS].expires_at
    lifecycle, stores = door.broker.components.lifecycle, door.broker.stores
    assert await stores.tokens.reap(records[BOUND].expires_at - 1) == []
    assert await _valid(door, child, BOUND)
    reaped = await stores.tokens.reap(records[ROOTS].expires_at)
    assert {record.instance for record in reaped} == {ROOTS, BOUND}
    assert await lifecycle.reap() == 0


async def test_an_instance_that_is_gone_frees_nothing(door: Door) -> None:
    """Tokens of an instance that was unpublished end with their parent too."""
    await _publish_family(door)
    root = await _root(door)
    await _passed_on(door, root)
    head = await door.admin()
    await door.request("DELETE", f"/sts-publish/rest/{BOUND}", headers=head)
    await _by_its_holder(door, root)
    assert await door.tokens() == []


async def _create(door: Door, state: dict[str, Any]) -> Answer:
    body = {"invocation_context": "invocation_context_client_sdk", "instance_state": state}
    path = "/sts-publish/rest?_action=create"
    return await door.request("POST", path, body=body, headers=await door.admin())


async def test_the_option_over_http_and_in_a_file(door: Door) -> None:
    """It is an extension key of the published JSON and a key of the TOML; off where not given."""
    plain = forgerock.encode(an_instance("plain"))
    asked = forgerock.encode(an_instance("asked")) | {"cancel-with-parent": "true"}
    for state in (plain, asked):
        assert (await _create(door, state)).status == 201
    resolve = door.broker.components.instances.resolve
    assert not (await resolve("plain")).cancel_with_parent
    assert (await resolve("asked")).cancel_with_parent
    read = await door.request("GET", "/sts-publish/rest/asked", headers=await door.admin())
    assert '"cancel-with-parent":"true"' in read.text.replace(" ", "")
    assert forgerock.encode(await resolve("asked")) == asked
    draft, problems = toml.decode({"url_element": "file", "cancel_with_parent": True})
    assert (draft.cancel_with_parent, problems) == (True, [])


async def test_the_option_needs_records(door: Door) -> None:
    """What is not kept cannot be cancelled: the publisher is told so, and by which key."""
    state = forgerock.encode(an_instance("unkept", persist=False)) | {"cancel-with-parent": True}
    answer = await _create(door, state)
    assert answer.status == 400
    assert "cancel-with-parent: only tokens that are kept" in answer.body["message"]


# -- keys ----------------------------------------------------------------------------------------


async def test_a_token_of_a_revoked_key(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a revoked key signed is not valid, though its record is there; other keys' tokens are,
    and so are tokens that no key signed."""
    await _publish_family(door)
    await door.publish(an_instance("second", oidc="ES256"), an_instance("hmac", oidc="HS256"))
    signed, other = await _issue(door), await _issue(door, instance="second")
    shared, opaque = await _issue(door, instance="hmac"), await _root(door)
    (record,) = [record for record in await door.tokens() if record.instance == ELEMENT]
    monkeypatch.setattr(
        type(door.broker.components.keys),
        "revoked",
        lambda _, realm, key: (realm, key) == ("/", record.key_id),
    )
    assert not await _valid(door, signed)
    assert await _valid(door, other, "second")
    assert await _valid(door, shared, "hmac")
    assert await _valid(door, opaque, ROOTS)
    assert (await door.cancel(signed)).status == 200
    assert record.alias not in {record.alias for record in await door.tokens()}

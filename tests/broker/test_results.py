"""Stored answers: for whoever asked the question, under the rules that hold now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from broker.errors import Conflict, Forbidden, Gone, NotFound
from broker.instance import Instance
from broker.model import Answer, ReceivedToken, RequestedToken, Requester, TranslationRequest
from broker.ports import Attempt
from broker.results import Inquiry
from broker.testing.builders import a_claim, an_answer
from tests.broker.world import IN, OUT, World

ALICE = Requester("amqp", "alice")
SIGNER = Requester("amqp", "key:orders-1", by_key=True)
REPLY_KEY = {"kty": "EC", "x": "1"}


async def _ask(
    world: World,
    requester: Requester,
    token: bytes = b"in",
    reply_key: Mapping[str, Any] | None = None,
) -> Answer:
    request = TranslationRequest(
        instance="i",
        subject_token=ReceivedToken(IN, {}, token),
        requested_token=RequestedToken(OUT, {}, b"out"),
        requester=requester,
        request_id="r-1",
        reply_key=reply_key,
    )
    attempt = Attempt("translate", requester.transport, world.clock.now())
    try:
        return await world.pipeline.translate(attempt, lambda: request)
    finally:
        world.ended.clear()  # sessions are no matter here


async def _find(world: World, inquiry: Inquiry) -> Answer:
    attempt = Attempt("result", inquiry.requester.transport, world.clock.now())
    return await world.pipeline.stored_answer(attempt, lambda: inquiry)


async def test_one_name_on_two_message_servers(world: World) -> None:
    """Alice of one transport and alice of another are two: neither reads the other's answers, nor
    do their ids meet."""
    mine = await _ask(world, ALICE)
    elsewhere = replace(ALICE, transport="mqtt")
    with pytest.raises(NotFound):
        await _find(world, Inquiry("r-1", elsewhere))
    other = await _ask(world, elsewhere, token=b"another")
    assert other.token_id != mine.token_id
    assert await _find(world, Inquiry("r-1", ALICE)) == mine


async def test_a_key_is_the_same_everywhere(world: World) -> None:
    """Who signs is known by the key: the same request by another transport is the same request."""
    first = await _ask(world, SIGNER)
    elsewhere = replace(SIGNER, transport="mqtt")
    assert await _ask(world, elsewhere) == first
    assert await _find(world, Inquiry("r-1", elsewhere)) == first


async def test_a_name_that_looks_like_a_key(world: World) -> None:
    """A user of a message server is no key, whatever the name."""
    await _ask(world, SIGNER)
    with pytest.raises(NotFound):
        await _find(world, Inquiry("r-1", replace(SIGNER, by_key=False)))


@pytest.mark.parametrize("inquiry", [Inquiry("r-1", ALICE), Inquiry("r-1", SIGNER)])
async def test_the_list_of_requesters_holds_for_results(
    world: World, inquiry: Inquiry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever an instance does not serve any more gets none of its answers, old ones neither."""
    await _ask(world, inquiry.requester)
    assert (await _find(world, inquiry)).status == 200
    resolve = world.resolve

    async def listed(instance: str) -> Instance:
        return replace(await resolve(instance), requesters={"amqp": frozenset({"bob"})})

    monkeypatch.setattr(world, "resolve", listed)
    with pytest.raises(Forbidden):
        await _find(world, inquiry)


async def test_an_encrypted_answer_is_given_to_those_who_encrypt(world: World) -> None:
    """An answer that had a key of its own comes with that key, or not at all."""
    await _ask(world, ALICE, reply_key=REPLY_KEY)
    found = await _find(world, Inquiry("r-1", ALICE, encrypts=True))
    assert found.reply_key == REPLY_KEY
    with pytest.raises(Conflict, match="key"):
        await _find(world, Inquiry("r-1", ALICE))


async def test_an_answer_that_names_no_instance(world: World) -> None:
    """Nobody can say whom an answer without its instance is for: it counts as gone."""
    now = world.clock.now()
    claim = a_claim(scope="requester:amqp:alice", request_id="r-1")
    won = await world.store.ledger.claim(claim, now, 5.0)
    await world.store.ledger.commit(won, None, an_answer(), now + 60)
    with pytest.raises(Gone):
        await _find(world, Inquiry("r-1", ALICE))

"""What the parts of a batch have in common is worked out once, and is nobody's loss."""

from __future__ import annotations

from dataclasses import replace

import pytest

from adapters.stores.memory import open_memory
from broker.errors import InvalidRequest
from broker.ports import TokenQuery
from tests.broker.test_batch import _ask, _batch, _codes, _results
from tests.broker.world import OUT, FakeKeys, World


async def test_equal_words_are_read_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts that ask for the same in equal words share what was read of it; others do not."""
    read: list[bytes] = []
    provider = world.registry.provider(OUT)
    monkeypatch.setattr(provider, "parse", lambda asked, _: read.append(asked.canonical))
    same = _batch(b"1", b"2", b"3").parts
    other = _batch(b"4", wanted=b"else").parts
    asked = replace(_batch(b"1"), parts=[*same, *other])
    assert _codes(await _ask(world, asked)) == [200] * 4
    assert read == [b"out", b"else"]


async def test_a_refusal_of_equal_words_is_given_to_each_part(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be asked for is refused part by part, though the words are the same."""

    def parse(*_: object) -> None:
        raise InvalidRequest("nobody offers that")

    monkeypatch.setattr(world.registry.provider(OUT), "parse", parse)
    assert _codes(await _ask(world, _batch(b"1", b"2"))) == [400, 400]


@pytest.mark.parametrize("withdrawn", [False, True])
async def test_a_key_that_takes_over_within_a_chunk(withdrawn: bool) -> None:
    """The parts of a chunk have the key that signed when it began, retired since or not; one that
    was withdrawn signs nothing more."""
    world = World(open_memory(), keys=FakeKeys(["key-1"]))
    keys = world.keys
    assert keys is not None

    async def take_over() -> None:
        keys.known.append("key-2")
        if withdrawn:
            keys.withdrawn.add("key-1")

    world.on_validate = take_over
    results = _results(await _ask(world, _batch(b"1", b"2")))
    kid = "key-2" if withdrawn else "key-1"
    assert [result["issued_token"].rpartition(".")[2] for result in results] == [kid, kid]
    assert {record.key_id for record in await world.store.tokens.query(TokenQuery())} == {kid}

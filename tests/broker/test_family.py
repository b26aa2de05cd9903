"""Tokens bound to others: how far back it is looked, and what was taken back on the way."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from adapters.stores import Stores, open_stores
from broker.errors import InvalidInstance, UnknownInstance
from broker.family import MAX_GENERATIONS, Family
from broker.instance import Instance
from broker.model import OPENIDCONNECT, SAML2, TokenRecord
from broker.testing import NOW, a_claim, a_record, an_answer, an_instance

BOUND, FREE, GONE, BROKEN = "bound", "free", "gone", "broken"


class World:
    """InstanceSource of four instances, and KeySource of one revoked key."""

    async def resolve(self, instance: str) -> Instance:
        if instance == GONE:
            raise UnknownInstance("no such instance")
        if instance == BROKEN:
            raise InvalidInstance([("transforms", "nobody here issues that any more")])
        return an_instance(cancel_with_parent=instance == BOUND)

    def revoked(self, realm: str, key_id: str) -> bool:
        return (realm, key_id) == ("/", "revoked")


@pytest.fixture
async def stores() -> Stores:
    return await open_stores("memory://")


@pytest.fixture
def family(stores: Stores) -> Family:
    world = World()
    return Family(
        instances=world,
        tokens=stores.tokens,
        keys=world,  # type: ignore[arg-type]  # asked for revocations alone
        inputs=frozenset({OPENIDCONNECT}),
    )


async def issued(
    stores: Stores, parents: Sequence[str | None], **changes: object
) -> list[TokenRecord]:
    """Tokens 0, 1, 2 … with these parents, all of the instance ``bound`` unless said otherwise."""
    records = []
    for n, parent in enumerate(parents):
        names = {"alias": str(n), "token_id": f"t{n}", "parent": parent, "instance": BOUND}
        records.append(a_record(**{**names, **changes}))
        claim = a_claim(token_id=f"t{n}", scope=None, request_id=None)
        await stores.ledger.commit(claim, records[-1], an_answer(), NOW)
    return records


async def test_no_ancestor_is_missed(stores: Stores, family: Family) -> None:
    """A token stands while every one of its ancestors is there, and falls with any of them."""
    records = await issued(stores, [None, "0", "1", "2"])
    assert [await family.stands(record) for record in records] == [True] * 4
    await stores.tokens.cancel("1")
    assert [await family.stands(record) for record in records] == [True, True, False, False]


async def test_too_many_generations(stores: Stores, family: Family) -> None:
    """A token with more ancestors than a cancel reaches down to does not stand."""
    parents = [None, *(str(n) for n in range(MAX_GENERATIONS + 1))]
    records = await issued(stores, parents)
    stand = [await family.stands(record) for record in records]
    assert stand == [True] * (MAX_GENERATIONS + 1) + [False]


async def test_a_cycle(stores: Stores, family: Family) -> None:
    """Tokens that descend from themselves do not stand."""
    for record in await issued(stores, ["1", "0", "2"]):
        assert not await family.stands(record)


@pytest.mark.parametrize(("instance", "bound"), [(FREE, False), (GONE, True), (BROKEN, True)])
async def test_who_says_that_a_token_is_bound(
    stores: Stores, family: Family, instance: str, bound: bool
) -> None:
    """The instance that issued it; one that is gone or cannot be read frees nothing."""
    root, child = await issued(stores, [None, "0"], instance=instance)
    assert await family.bound_to(root) == ([child] if bound else [])
    await stores.tokens.cancel("0")
    assert await family.stands(child) is not bound


async def test_a_revoked_key_on_the_way(stores: Stores, family: Family) -> None:
    """A token that was issued from one whose key was revoked falls with it, if it is bound."""
    for instance, stands in ((BOUND, False), (FREE, True)):
        root, child = await issued(stores, [None, "0"], instance=instance, key_id="revoked")
        assert not await family.stands(root)
        signed = a_record(alias="c", token_id="c", key_id="key-1", parent="0", instance=instance)
        assert await family.stands(signed) is stands
        for record in (root, child):
            await stores.tokens.cancel(record.alias)
    elsewhere = a_record(alias="e", realm="/fred", key_id="revoked")
    assert await family.stands(elsewhere)


async def test_a_type_that_nobody_takes_has_no_children(stores: Stores, family: Family) -> None:
    """Where a type of token is no input, nothing is looked for."""
    root, child = await issued(stores, [None, "0"])
    assert await family.bound_to(root) == [child]
    assert await family.bound_to(a_record(alias="0", type=SAML2)) == []

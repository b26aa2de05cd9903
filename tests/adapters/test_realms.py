"""Realms that are made and removed at run time, on the memory store."""

from __future__ import annotations

import asyncio

import pytest

from adapters.keys.ring import KeyRing
from adapters.realms import MAX_PATH_LENGTH, Realms
from adapters.stores import Stores
from adapters.stores.memory import open_memory
from broker.errors import Conflict, InvalidRequest, NotFound
from broker.testing import FrozenClock, a_user, an_instance_document


class Hooks:
    """Notes what is prepared and forgotten."""

    def __init__(self) -> None:
        self.prepared: list[str] = []
        self.forgotten: list[str] = []

    async def prepare(self, realm: str) -> None:
        self.prepared.append(realm)

    async def forget(self, realm: str) -> None:
        self.forgotten.append(realm)


def _realms(stores: Stores, hooks: Hooks | None = None) -> Realms:
    hooks = hooks or Hooks()
    return Realms(
        configuration=stores.configuration,
        instances=stores.instances,
        users=stores.users,
        factors=stores.factors,
        declared=["/declared"],
        prepare=hooks.prepare,
        forget=hooks.forget,
    )


async def test_life_of_a_realm() -> None:
    """A realm is prepared, exists, is seen by other brokers, and is forgotten at its end."""
    stores, hooks = open_memory(), Hooks()
    realms, other = _realms(stores, hooks), _realms(stores)
    assert await realms.create("sales/") == "/sales"
    assert await realms.create("/sales/emea") == "/sales/emea"
    await other.refresh()
    assert realms.paths == other.paths == ("/", "/declared", "/sales", "/sales/emea")
    await realms.delete("/sales/emea")
    await other.refresh()
    assert not realms.exists("/sales/emea")
    assert not other.exists("/sales/emea")
    assert (hooks.prepared, hooks.forgotten) == (
        ["/sales", "/sales", "/sales/emea", "/sales/emea"],
        ["/sales/emea"],
    )


async def test_one_of_many_creates_wins() -> None:
    """Of brokers that make one realm at once, one does; none undoes another's realm."""
    stores = open_memory()
    work = [_realms(stores).create("/one") for _ in range(5)]
    work += [_realms(stores).create(f"/other-{number}") for number in range(5)]
    results = await asyncio.gather(*work, return_exceptions=True)
    assert sum(isinstance(result, Conflict) for result in results) == 4
    realms = _realms(stores)
    await realms.refresh()
    assert len(realms.paths) == 2 + 6


@pytest.mark.parametrize(
    "path",
    [
        *(
            "",
            "/",
            "/a//../b",
            "/.",
            "/a\n",
            "/a\x00",
            "/a+b",
            "/a#",
            "/a*",
            "/\u212a",
            "/a  b",
            "/ a",
        ),
        *("/users", "/Sales/KEYS", "/root", "/a/events", "/<b>", "/" + "a" * MAX_PATH_LENGTH),
    ],
)
async def test_bad_paths(path: str) -> None:
    """A path that could be taken for something else is refused, and nothing is prepared."""
    hooks = Hooks()
    with pytest.raises(InvalidRequest):
        await _realms(open_memory(), hooks).create(path)
    assert hooks.prepared == []


async def test_names_differ_by_more_than_case() -> None:
    """A realm that is there already, in whatever case, is refused."""
    realms = _realms(open_memory())
    await realms.create("/Straße")
    for path in ("/STRASSE", "/straße", "/DECLARED"):
        with pytest.raises(Conflict, match="already"):
            await realms.create(path)


async def test_a_parent_must_exist() -> None:
    """A realm is made in a realm that is there."""
    realms = _realms(open_memory())
    with pytest.raises(NotFound, match="/sales"):
        await realms.create("/sales/emea")
    assert await realms.create("/declared/emea") == "/declared/emea"


async def test_only_empty_realms_are_deleted() -> None:
    """While instances, users or realms are in a realm, it stays."""
    stores = open_memory()
    realms = _realms(stores)
    await realms.create("/sales")
    await realms.create("/sales/emea")
    with pytest.raises(Conflict, match="realms"):
        await realms.delete("/sales")
    await realms.delete("/sales/emea")
    await stores.instances.create(an_instance_document(id="sales/x", realm="/sales"))
    with pytest.raises(Conflict, match="instances"):
        await realms.delete("/sales")
    await stores.instances.delete("sales/x", None)
    await stores.users.put(a_user(realm="/sales"))
    with pytest.raises(Conflict, match="users"):
        await realms.delete("/sales")
    assert realms.exists("/sales")


async def test_what_is_declared_stays() -> None:
    """Realms of the settings, the root realm too, are removed there; others must be known."""
    realms = _realms(open_memory())
    for realm in ("/", "/declared"):
        with pytest.raises(Conflict, match="settings"):
            await realms.delete(realm)
    with pytest.raises(NotFound):
        await realms.delete("/unknown")


async def test_a_realm_made_again_has_keys() -> None:
    """A broker that has not heard yet that a realm was deleted makes it again with keys."""
    stores, clock = open_memory(), FrozenClock()
    rings = [await KeyRing.open(stores.configuration, clock, ("/",)) for _ in range(2)]
    first, second = (
        Realms(
            configuration=stores.configuration,
            instances=stores.instances,
            users=stores.users,
            factors=stores.factors,
            declared=[],
            prepare=ring.ensure,
            forget=ring.forget,
        )
        for ring in rings
    )
    await first.create("/sales")
    await rings[1].refresh()
    await first.delete("/sales")
    await second.create("/sales")
    for ring in rings:
        await ring.refresh()
        assert len(ring.list("/sales")) == 2

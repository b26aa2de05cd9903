"""What published instances ask of the keys: overlap, names, and keys that are as new as they."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from adapters.stores.memory import open_memory
from broker.instance import Instance, SigningKey
from broker.ports import ConfigurationStore
from tests.http import judges
from tests.support import door as doors
from tests.support.door import ID_TOKEN, Door, FrozenClock, an_instance, user_input
from tests.support.key_rings import FailingStore
from tests.support.planted import Planted

DAY = 24 * 3600
TAKEOVER = 305  # of a new key, with the default settings


def _lasting(seconds: int) -> Instance:
    draft = an_instance("other", oidc="ES256")
    assert draft.oidc is not None
    return replace(draft, oidc=replace(draft.oidc, lifetime_seconds=seconds))


async def _kids(door: Door) -> set[str]:
    return {key["kid"] for key in (await judges.jwks(door))["keys"]}


async def _kid_of_a_token(door: Door) -> str:
    issued = await door.translate(user_input(), ID_TOKEN, instance="other")
    assert issued.status == 200, issued.text
    token = await judges.id_token(door, issued.body["issued_token"], "ES256")
    return str(token.header["kid"])


def _pem() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


async def _tend(door: Door) -> None:
    """What the broker does each minute."""
    parts = door.broker.components
    await parts.keys.tend(await parts.instances.key_needs())


async def test_overlap_follows_the_instances(
    tmp_path: Path, planted: Planted, said: list[str]
) -> None:
    """A retired key stays in the JWKS for the longest lifetime of any instance of the realm, also
    of one that is published or changed after the rotation was asked for, or gone since."""
    clock = FrozenClock()
    async with doors.opened(tmp_path, planted, clock=clock) as door:
        await door.publish(_lasting(600))
        old = await _kid_of_a_token(door)
        await door.broker.components.keys.rotate("/", "ES256")
        await door.publish(_lasting(DAY))
        clock.advance(TAKEOVER - 1)
        assert await _kid_of_a_token(door) == old
        await door.publish(_lasting(600))
        await door.broker.components.instances.delete("other")
        clock.advance(DAY)
        await _tend(door)
        assert old in await _kids(door)
        clock.advance(301)
        await _tend(door)
        assert old not in await _kids(door)


async def test_instances_that_were_stored_by_others(
    tmp_path: Path, planted: Planted, said: list[str]
) -> None:
    """Instances that another version stored count as well, even one that issues nothing until it
    is repaired: its key is kept."""
    clock, stores = FrozenClock(), open_memory()
    async with doors.opened(tmp_path, planted, clock=clock, stores=stores) as door:
        await door.publish(_lasting(DAY))
        old = await _kid_of_a_token(door)
        draft = an_instance("broken", oidc="ES256")
        assert draft.oidc is not None
        named = replace(draft.oidc, signing_key=SigningKey("ES256", alias=old))
        await door.publish(replace(draft, oidc=named))
        stored = await stores.instances.get("broken")
        assert stored is not None
        body = {**stored.body, "supported-token-transforms": []}
        await stores.instances.replace(replace(stored, body=body, revision="7"), None)
        await stores.configuration.swap("keys/", await stores.configuration.get("keys/"), None)
    # The ring of a store whose instances it never heard of.
    async with doors.opened(tmp_path, planted, clock=clock, stores=stores) as door:
        kid = await _kid_of_a_token(door)
        await _tend(door)
        await door.broker.components.keys.rotate("/", "ES256")
        clock.advance(TAKEOVER + DAY)
        await _tend(door)
        assert kid in await _kids(door)
        needs = await door.broker.components.instances.key_needs()
        assert needs["/"].lifetime_seconds == DAY
        assert needs["/"].key_ids == {old}


async def test_needs_are_looked_up_when_something_changed(door: Door) -> None:
    """While nothing is published the instances are not gone through again."""
    instances = door.broker.components.instances
    before = await instances.key_needs()
    assert await instances.key_needs() is before
    await door.publish(_lasting(DAY))
    assert (await instances.key_needs())["/"].lifetime_seconds == DAY


class _Gate:
    """A ConfigurationStore whose list waits until it is let through."""

    def __init__(self, store: ConfigurationStore) -> None:
        self._store = store
        self.open = asyncio.Event()
        self.open.set()
        self.reached = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def list(self, prefix: str = "") -> dict[str, bytes]:
        self.reached.set()
        await self.open.wait()
        return await self._store.list(prefix)


async def test_no_request_signs_with_keys_older_than_its_instance(
    tmp_path: Path, planted: Planted, said: list[str]
) -> None:
    """While one request fetches keys that another broker changed, no other gets past it and signs
    with the one before."""
    stores = open_memory()
    gate = _Gate(stores.configuration)
    shared = replace(stores, configuration=gate)
    async with (
        doors.opened(tmp_path / "a", planted, stores=stores) as one,
        doors.opened(tmp_path / "b", planted, stores=shared) as other,
    ):
        await one.publish(an_instance("other", oidc="ES256"))
        await _kid_of_a_token(other)
        new = await one.broker.components.keys.import_pem("/", _pem(), None, now=True)
        gate.open.clear()
        gate.reached.clear()
        asked = [asyncio.create_task(_kid_of_a_token(other)) for _ in range(10)]
        await gate.reached.wait()
        passed, _ = await asyncio.wait(asked, timeout=0.3)
        assert not passed
        gate.open.set()
        assert set(await asyncio.gather(*asked)) == {new.kid}


async def test_keys_that_cannot_be_read_hold_up_nobody(
    tmp_path: Path, planted: Planted, said: list[str]
) -> None:
    """If the keys cannot be caught up with, the known ones sign; the next request that can does
    catch up."""
    stores = open_memory()
    failing = FailingStore(stores.configuration)
    shared = replace(stores, configuration=failing)
    async with (
        doors.opened(tmp_path / "a", planted, stores=stores) as one,
        doors.opened(tmp_path / "b", planted, stores=shared) as other,
    ):
        await one.publish(an_instance("other", oidc="ES256"))
        old = await _kid_of_a_token(other)
        failing.end_at(0)
        _, active = await one.broker.components.keys.revoke("/", old)
        issued = await other.translate(user_input(), ID_TOKEN, instance="other")
        assert issued.status == 200
        failing.mend()
        assert active is not None
        assert await _kid_of_a_token(other) == active.kid

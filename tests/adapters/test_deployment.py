"""The slots of a store: who gets in, who is let in later, and who is shut out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from adapters.keys.deployment import (
    DeploymentKey,
    Slots,
    add_slot,
    legacy_key,
    opened,
    read_slots,
    remove_slot,
)
from adapters.keys.root_secret import RootSecret, RootSecretFile
from adapters.stores import ForeignStore
from broker.errors import Conflict, NotFound, Unavailable

OLD, NEW, OTHER = (RootSecret(bytes([number] * 32)) for number in (1, 2, 3))


class Memory:
    """Cell."""

    def __init__(self) -> None:
        self.value: bytes | None = None

    async def read(self) -> bytes | None:
        return self.value

    async def swap(self, expected: bytes | None, value: bytes) -> bool:
        if self.value != expected:
            return False
        self.value = value
        return True


class Outrun(Memory):
    """A cell in which another broker, with the secret ``OLD``, is always a step ahead at first."""

    async def swap(self, expected: bytes | None, value: bytes) -> bool:
        if self.value is None:
            faster = Memory()
            await opened(faster, [OLD])
            self.value = faster.value
        return await super().swap(expected, value)


async def _slots(cell: Memory) -> set[str]:
    return set((await read_slots(cell))[1].wrapped)


# -- getting in ----------------------------------------------------------------------------------


async def test_a_new_store_gets_a_random_key() -> None:
    """Two stores of one secret have two keys and two ids, and neither is the secret itself."""
    one, other = await opened(Memory(), [OLD]), await opened(Memory(), [OLD])
    assert one.store_id != other.store_id
    keys = {deployment.key.derive("test") for deployment in (one, other)}
    assert len(keys | {OLD.derive("test")}) == 3


async def test_the_present_key_gets_a_slot_of_its_own() -> None:
    """A new secret that knows the one before gets in, is given a slot, and then needs no other."""
    cell = Memory()
    first = await opened(cell, [OLD])
    second = await opened(cell, [NEW, OLD])
    third = await opened(cell, [NEW])
    keys = {deployment.key.derive("test") for deployment in (first, second, third)}
    assert len(keys) == 1
    assert await _slots(cell) == {OLD.id, NEW.id}
    await opened(cell, [OLD])


async def test_a_slot_that_was_damaged_is_made_anew() -> None:
    """If the present key's slot is broken and another opens the store, the slot is repaired."""
    cell = Memory()
    await opened(cell, [OLD])
    await opened(cell, [NEW, OLD])
    slots = (await read_slots(cell))[1]
    cell.value = slots.with_slot(NEW.id, b"broken").written()
    with pytest.raises(ForeignStore):
        await opened(cell, [NEW])
    await opened(cell, [NEW, OLD])
    await opened(cell, [NEW])


async def test_slots_that_nobody_wrote_are_unavailable() -> None:
    """Rubbish in the place of the slots is a failure of the store, not another deployment."""
    cell = Memory()
    for rubbish in (b"", b"[]", b'{"store": "a"}', b'{"store": "a", "slots": {"b": 1}}'):
        cell.value = rubbish
        with pytest.raises(Unavailable):
            await opened(cell, [OLD])


# -- not getting in ------------------------------------------------------------------------------


async def test_a_foreign_broker_hears_what_to_do() -> None:
    """The sentence says where the root secret goes, and which wrapping keys the store knows."""
    cell = Memory()
    await opened(cell, [OLD])
    before = cell.value
    with pytest.raises(ForeignStore) as raised:
        await opened(cell, [NEW, OTHER])
    said = str(raised.value)
    for word in ("another root secret", "copy that of the broker that made the store", OLD.id):
        assert word in said
    for place in ("STATE_DIR/root-secret", "REMINT_KEYS__ROOT_SECRET", "_FILE"):
        assert place in said
    assert cell.value == before


async def test_no_useless_root_secret_is_left_behind(tmp_path: Path) -> None:
    """A broker without a root secret that comes to a store of others makes none, and says so."""
    cell = Memory()
    await opened(cell, [OLD])
    with pytest.raises(ForeignStore) as raised:
        await opened(cell, [RootSecretFile(tmp_path)])
    assert "there is no root secret here" in str(raised.value)
    assert f"{tmp_path / 'root-secret'} (mode 0600)" in str(raised.value)
    assert os.listdir(tmp_path) == []


async def test_one_that_lost_the_race_takes_its_root_secret_away(tmp_path: Path) -> None:
    """If another broker is faster to make the store, the secret made for it is not kept."""
    with pytest.raises(ForeignStore, match="there is no root secret here"):
        await opened(Outrun(), [RootSecretFile(tmp_path)])
    assert os.listdir(tmp_path) == []


async def test_a_root_secret_is_made_for_a_new_store(tmp_path: Path) -> None:
    """A new store, and a new slot in a store that the secret before opens, make the file."""
    cell = Memory()
    first = await opened(cell, [RootSecretFile(tmp_path / "a")])
    root = RootSecretFile(tmp_path / "a").found()
    assert root is not None
    assert await _slots(cell) == {root.id}
    second = await opened(cell, [RootSecretFile(tmp_path / "b"), root])
    assert second.key.derive("test") == first.key.derive("test")
    assert (await opened(cell, [RootSecretFile(tmp_path / "b")])).store_id == first.store_id


# -- stores of schema version 1 ------------------------------------------------------------------


async def test_the_secret_of_an_old_store_is_its_key() -> None:
    """Of the secrets at hand, the one that left its fingerprint becomes the deployment key."""
    key = legacy_key(OLD.fingerprint, [NEW, OLD])
    assert key.derive("answers") == OLD.derive("answers")
    with pytest.raises(ForeignStore, match="another root secret"):
        legacy_key(OLD.fingerprint, [NEW])


async def test_adopting_an_old_store_while_moving_to_a_new_secret_leaves_both_in(
    tmp_path: Path,
) -> None:
    """Brokers that still have the old secret alone can start after one with the new did."""
    cell = Memory()
    wrappers = [RootSecretFile(tmp_path), OLD]
    first = await opened(cell, wrappers, legacy_key(OLD.fingerprint, wrappers))
    second = await opened(cell, [OLD])
    assert second.key.derive("test") == first.key.derive("test") == OLD.derive("test")
    assert len(await _slots(cell)) == 2


# -- administration ------------------------------------------------------------------------------


async def test_a_slot_can_be_added_and_removed() -> None:
    """A key that was added opens the store; one that was removed does not any more."""
    cell = Memory()
    deployment = await opened(cell, [OLD])
    await add_slot(cell, deployment.key, NEW)
    assert (await opened(cell, [NEW])).key.derive("test") == deployment.key.derive("test")
    await remove_slot(cell, OLD.id, in_use=NEW.id)
    with pytest.raises(ForeignStore):
        await opened(cell, [OLD])
    await opened(cell, [NEW])


async def test_what_is_needed_cannot_be_removed() -> None:
    """Neither the last slot, nor the one in use, nor one that is not there."""
    cell = Memory()
    deployment = await opened(cell, [OLD])
    before = cell.value
    with pytest.raises(Conflict, match="last slot"):
        await remove_slot(cell, OLD.id, in_use=NEW.id)
    with pytest.raises(NotFound, match="remint store slots"):
        await remove_slot(cell, NEW.id, in_use=OLD.id)
    assert cell.value == before
    await add_slot(cell, deployment.key, NEW)
    with pytest.raises(Conflict, match="own settings use"):
        await remove_slot(cell, OLD.id, in_use=OLD.id)
    assert await _slots(cell) == {OLD.id, NEW.id}


# -- secrets -------------------------------------------------------------------------------------


async def test_no_key_shows() -> None:
    """Neither the deployment key nor the secrets are in the cell, or in a repr of anything."""
    cell = Memory()
    key = DeploymentKey(bytes([9] * 32))
    deployment = await opened(cell, [OLD], key)
    slots: Slots = (await read_slots(cell))[1]
    shown = f"{deployment} {key!r} {slots!r} {cell.value!r}"
    for secret in (bytes([9] * 32), bytes([1] * 32)):
        assert secret.hex() not in shown
        assert repr(secret)[2:-1] not in shown


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_deployment_key_has_32_bytes(size: int) -> None:
    """Another number of bytes is refused."""
    with pytest.raises(ValueError, match="32 bytes"):
        DeploymentKey(bytes(size))

"""The deployment key, and the wrapped copies of it that stand in the store.

The store keeps one random key for a deployment, never in the clear: each wrapping key (the root
secret, a certificate, a key in a KMS or a PKCS #11 token) has a slot with a copy that only it can
open. Whatever is sealed in the store is sealed under keys derived from it, so that a wrapping key
is replaced by writing one more slot: nothing else is touched and nobody has to stop
(docs/decisions/0004).
"""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import orjson

from adapters.keys.root_secret import (
    KEY_BYTES,
    NO_SECRET,
    RootSecret,
    RootSecretFile,
    SealBroken,
    derived,
)
from adapters.stores import ForeignStore
from broker.errors import Conflict, NotFound, Unavailable

STORE_ID_BYTES = 12

VARIABLES = "REMINT_KEYS__ROOT_SECRET (or the file that REMINT_KEYS__ROOT_SECRET_FILE names)"


class KeyWrapper(Protocol):
    """A wrapping key: it is not in the store, and opens what it has wrapped.

    Plug-ins for a KMS or a PKCS #11 token implement it (``adapters/keys/wrapping.py``). What it
    opens must be its own work: whoever can write to the store must not be able to make a value
    that opens, so a public key alone does not do.
    """

    @property
    def id(self) -> str:
        """Names the wrapping key for ever, and gives nothing of it away."""

    async def wrap(self, key: bytes) -> bytes:
        """``key`` (32 bytes) wrapped; raises Unavailable."""

    async def unwrap(self, wrapped: bytes) -> bytes:
        """What was wrapped; raises SealBroken if it was not by this key, and Unavailable."""


class Cell(Protocol):
    """Where a store keeps the slots: one value, replaced by compare-and-set."""

    async def read(self) -> bytes | None: ...

    async def swap(self, expected: bytes | None, value: bytes) -> bool:
        """True, and ``value`` stands there, if ``expected`` (None: nothing) did before."""


class DeploymentKey:
    """What everything in a store is sealed under. It gives out derived keys, never itself."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        """Raises ValueError unless ``key`` has 32 bytes."""
        if len(key) != KEY_BYTES:
            raise ValueError(f"a deployment key has {KEY_BYTES} bytes")
        self._key = key

    @classmethod
    def random(cls) -> DeploymentKey:
        return cls(secrets.token_bytes(KEY_BYTES))

    def derive(self, purpose: str) -> bytes:
        """The 32-byte key of one purpose (RFC 5869)."""
        return derived(self._key, purpose)

    async def wrapped_by(self, wrapper: KeyWrapper) -> bytes:
        return await wrapper.wrap(self._key)

    def is_secret_of(self, name: str) -> bool:
        """Whether the root secret of that id is this key, as in stores of schema version 1."""
        return RootSecret(self._key).id == name

    def __repr__(self) -> str:
        return "DeploymentKey(…)"


@dataclass(frozen=True, slots=True)
class Slots:
    """What stands in the cell: the store's own id, and a wrapped key for each wrapping key."""

    store_id: str
    wrapped: Mapping[str, bytes] = field(repr=False)

    def written(self) -> bytes:
        texts = {name: base64.b64encode(value).decode() for name, value in self.wrapped.items()}
        return orjson.dumps({"store": self.store_id, "slots": texts}, option=orjson.OPT_SORT_KEYS)

    @classmethod
    def read(cls, value: bytes) -> Slots:
        """Raises Unavailable for what nobody here has written."""
        try:
            body = orjson.loads(value)
            slots = {name: base64.b64decode(text) for name, text in body["slots"].items()}
            return cls(str(body["store"]), slots)
        except (ValueError, KeyError, TypeError, AttributeError, binascii.Error):
            raise Unavailable(
                "the store cannot be read", detail="its key slots are broken"
            ) from None

    def with_slot(self, name: str, wrapped: bytes) -> Slots:
        return Slots(self.store_id, {**self.wrapped, name: wrapped})

    def without(self, name: str) -> Slots:
        return Slots(self.store_id, {key: v for key, v in self.wrapped.items() if key != name})


@dataclass(frozen=True, slots=True)
class Deployment:
    """A store that was opened: its key, and the id that it was given when it was made."""

    key: DeploymentKey
    store_id: str


async def opened(
    cell: Cell, wrappers: Sequence[KeyWrapper], first_key: DeploymentKey | None = None
) -> Deployment:
    """The deployment behind a cell, made by whoever is first.

    ``wrappers`` are the present wrapping key and those it takes over from. If only one of the
    latter opens the store, the present one gets its own slot. ``first_key`` becomes the key of a
    store that has none. Raises ForeignStore if none of them opens it, WrappingKeyError,
    Unavailable.
    """
    while True:
        value = await cell.read()
        if value is None:
            key = first_key or DeploymentKey.random()
            slots = await _first_slots(key, wrappers)
        else:
            slots = Slots.read(value)
            key, opener = await _unwrapped(slots, wrappers)
            if opener is wrappers[0]:
                return Deployment(key, slots.store_id)
        if await _added(cell, value, slots, key, wrappers[0]):
            return Deployment(key, slots.store_id)


async def add_slot(cell: Cell, key: DeploymentKey, wrapper: KeyWrapper) -> None:
    """Let one more wrapping key open the store. Raises WrappingKeyError, Unavailable."""
    while True:
        value, slots = await read_slots(cell)
        if await _added(cell, value, slots, key, wrapper):
            return


async def remove_slot(cell: Cell, name: str, in_use: str) -> None:
    """Let a wrapping key open the store no more. ``in_use`` is the id of the one to keep.

    Raises NotFound, Conflict for that one and for the last, Unavailable.
    """
    while True:
        value, slots = await read_slots(cell)
        if name not in slots.wrapped:
            raise NotFound("the store has no slot of that name; `remint store slots` lists them")
        if name == in_use:
            raise Conflict("this broker's own settings use that slot; it stays")
        if len(slots.wrapped) == 1:
            raise Conflict("this is the last slot: without it nobody could open the store")
        if await cell.swap(value, slots.without(name).written()):
            return


async def read_slots(cell: Cell) -> tuple[bytes, Slots]:
    """What stands in the cell of an open store, as it is and as it reads. Raises Unavailable."""
    value = await cell.read()
    if value is None:
        raise Unavailable("the store cannot be read", detail="its key slots are gone")
    return value, Slots.read(value)


async def opens(wrapper: KeyWrapper, slots: Slots) -> DeploymentKey | None:
    """The key, if ``wrapper`` has a slot and opens it. Raises Unavailable."""
    wrapped = slots.wrapped.get(wrapper.id)
    if wrapped is None:
        return None
    try:
        return DeploymentKey(await wrapper.unwrap(wrapped))
    except (SealBroken, ValueError):
        return None


async def _first_slots(key: DeploymentKey, wrappers: Sequence[KeyWrapper]) -> Slots:
    """None yet but that of the root secret which a store of schema version 1 was made with: other
    brokers may still start with it."""
    made_with = [wrapper for wrapper in wrappers[1:] if key.is_secret_of(wrapper.id)]
    wrapped = {wrapper.id: await key.wrapped_by(wrapper) for wrapper in made_with}
    return Slots(secrets.token_hex(STORE_ID_BYTES), wrapped)


async def _added(
    cell: Cell, value: bytes | None, slots: Slots, key: DeploymentKey, wrapper: KeyWrapper
) -> bool:
    wrapped = await key.wrapped_by(wrapper)
    # The id is asked for second: a root secret that is made by the wrapping has none before.
    return await cell.swap(value, slots.with_slot(wrapper.id, wrapped).written())


async def _unwrapped(
    slots: Slots, wrappers: Sequence[KeyWrapper]
) -> tuple[DeploymentKey, KeyWrapper]:
    """The key, and the first of ``wrappers`` that opens a slot. Raises ForeignStore."""
    for wrapper in wrappers:
        key = await opens(wrapper, slots)
        if key is not None:
            return key, wrapper
    for wrapper in wrappers:
        if isinstance(wrapper, RootSecretFile):
            wrapper.discard()
    raise _foreign(wrappers, sorted(slots.wrapped))


def legacy_key(fingerprint: bytes, wrappers: Sequence[KeyWrapper]) -> DeploymentKey:
    """The key of a store of schema version 1, which is the root secret that left its fingerprint.

    Raises ForeignStore if it is none of ``wrappers``.
    """
    for wrapper in wrappers:
        root = wrapper.found() if isinstance(wrapper, RootSecretFile) else wrapper
        if isinstance(root, RootSecret) and secrets.compare_digest(root.fingerprint, fingerprint):
            return DeploymentKey(root.as_deployment_key())
    raise _foreign(wrappers, [])


def _foreign(wrappers: Sequence[KeyWrapper], slots: Sequence[str]) -> ForeignStore:
    """The sentence of a broker that came to a store of others; ids give nothing away."""
    present = wrappers[0]
    path = present.path if isinstance(present, RootSecretFile) else "STATE_DIR/root-secret"
    has = f"; the store has slots for {', '.join(slots)}" if slots else ""
    if present.id == NO_SECRET:
        lead = "the store was made by another broker, and there is no root secret here"
    elif isinstance(present, RootSecret | RootSecretFile):
        lead = "the store was written with another root secret"
    else:
        return ForeignStore(
            f"the store was written with other wrapping keys than this broker's {present.id}: give "
            f"it also the root secret that opens the store, in {VARIABLES}, or the keys of another "
            f"broker{has}"
        )
    return ForeignStore(
        f"{lead}: copy that of the broker that made the store to {path} (mode 0600), or put it "
        f"into {VARIABLES}{has}"
    )

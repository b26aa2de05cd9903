"""What every KeyWrapper must do, for the tests of plug-ins that bring one.

Inherit the class under a name that pytest collects (with ``asyncio_mode = auto``), and give it
three fixtures: ``wrapper``, ``same_wrapper`` (made anew for the same wrapping key, as a second
broker does) and ``other_wrapper`` (of another wrapping key)::

    class TestMyWrapper(KeyWrapperContract):
        ...

One promise a suite cannot try: who can only write to the store must not be able to make a value
that ``unwrap`` opens. Wrapping with a public key alone breaks it.
"""

from __future__ import annotations

from adapters.keys.deployment import KeyWrapper
from adapters.keys.root_secret import KEY_BYTES, SealBroken
from adapters.keys.wrapping import fits
from broker.testing.expect import holds, raises, same

KEY = bytes(range(KEY_BYTES))
PLACES = 16
"""At how many places a wrapped key is damaged; each try may be a call to a KMS."""


class KeyWrapperContract:
    """Inherit, and give it the fixtures."""

    async def test_a_wrapped_key_comes_back(self, wrapper: KeyWrapper) -> None:
        """What was wrapped is unwrapped, and cannot be read in between."""
        wrapped = await wrapper.wrap(KEY)
        same(await wrapper.unwrap(wrapped), KEY)
        holds(KEY not in wrapped, "the wrapped key shows the key")

    async def test_a_second_broker_opens_it(
        self, wrapper: KeyWrapper, same_wrapper: KeyWrapper
    ) -> None:
        """The id names the wrapping key, and what one broker wrapped opens to the next."""
        same(same_wrapper.id, wrapper.id)
        same(await same_wrapper.unwrap(await wrapper.wrap(KEY)), KEY)

    async def test_the_id_can_stand_in_a_list(self, wrapper: KeyWrapper) -> None:
        """An id is one printable word that is neither empty nor long."""
        holds(fits(wrapper.id), f"this cannot be an id: {wrapper.id!r}")

    async def test_another_key_does_not_open_it(
        self, wrapper: KeyWrapper, other_wrapper: KeyWrapper
    ) -> None:
        """Another wrapping key has another id, and what it wrapped is not opened by this one."""
        holds(other_wrapper.id != wrapper.id, "two wrapping keys have one id")
        await raises(SealBroken, wrapper.unwrap(await other_wrapper.wrap(KEY)))

    async def test_a_damaged_wrapping_does_not_open(self, wrapper: KeyWrapper) -> None:
        """A wrapped key with a bit changed, cut short or lengthened is refused as broken."""
        wrapped = await wrapper.wrap(KEY)
        step = max(1, len(wrapped) // PLACES)
        for place in {*range(0, len(wrapped), step), len(wrapped) - 1}:
            changed = bytearray(wrapped)
            changed[place] ^= 1
            await raises(SealBroken, wrapper.unwrap(bytes(changed)))
        for other in (b"", wrapped[:1], wrapped[:-1], wrapped + b"\0"):
            await raises(SealBroken, wrapper.unwrap(other))
